"""Files that callers upload: the parts of a ``multipart/form-data`` body."""

from __future__ import annotations

from email import message_from_bytes, policy
from urllib.parse import unquote

import msgspec

from warmline.simulators.base import Ask


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form; ``filename`` is "" when it is no file."""

    field: str
    filename: str
    media_type: str
    content: bytes


def parts(ask: Ask) -> list[Part]:
    """The parts of a call's form in order; none when it is no form."""
    kind = ask.headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        return []
    message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + ask.body, policy=policy.HTTP)
    found = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        field = part.get_param("name", header="content-disposition")
        found.append(
            Part(
                field=str(field or ""),
                filename=unquote(part.get_filename() or ""),
                media_type=part.get_content_type(),
                content=content if isinstance(content, bytes) else b"",
            )
        )
    return found
