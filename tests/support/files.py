"""Small files of several kinds, and how a visitor sends them."""

from __future__ import annotations

import struct
import zlib
from typing import Any
from urllib.parse import quote

from tests.support.node import Stage


def png(width: int = 40, height: int = 30, colour: tuple[int, int, int] = (200, 90, 40)) -> bytes:
    """A picture of one colour that every browser draws."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


async def try_upload(stage: Stage, conversation: str, name: str, content: Any, **more: str) -> tuple[int, Any]:
    """Send a file as the widget does; status and JSON answer.  ``more`` replaces headers."""
    headers = {"Authorization": f"Bearer {stage.tokens[conversation]}", "X-File-Name": quote(name)} | more
    url = f"{stage.base}/widget/files?conversation={conversation}"
    async with stage.http.post(url, data=content, headers=headers) as reply:
        return reply.status, await reply.json(content_type=None)


async def upload(stage: Stage, conversation: str, name: str, content: bytes) -> dict[str, Any]:
    """Send a file that is taken; ``{id, name, media_type, size}``."""
    status, answer = await try_upload(stage, conversation, name, content)
    assert status == 201, (status, answer)
    kept: dict[str, Any] = answer
    return kept


async def send_file(stage: Stage, conversation: str, name: str, content: bytes, text: str = "") -> dict[str, Any]:
    """Send a message with one file; what the upload answered."""
    kept = await upload(stage, conversation, name, content)
    answer = await stage.frame(conversation, frame="message", text=text, attachments=[kept["id"]])
    assert answer["frame"] == "ack", answer
    return kept
