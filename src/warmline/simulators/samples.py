"""What agents really send: texts that are hard to carry, and a picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

LONG_CHARACTERS = 10_000
_SENTENCE = "This sentence is here to make a long message longer. "

SAMPLES: Mapping[str, str] = {
    "emoji": "Done 👩🏽‍💻🎉 𝔉𝔞𝔫𝔠𝔶 🇩🇰",
    "rtl": "שלום! כיצד אפשר לעזור? رقم الطلب ١٢٣ (order #123)",
    "html": '<p>Please <b>read</b> <a href="https://example.com/help">this</a>.</p><script>alert(1)</script>'
    '<img src="x" onerror="alert(2)">',
    "long": (_SENTENCE * (LONG_CHARACTERS // len(_SENTENCE) + 1))[:LONG_CHARACTERS],
    "picture": "Here is a picture.",
}
"""By the name that follows ``sample:`` in a step."""

PICTURE_NAME = "leaf.png"
_SIDE = 96


def sample(text: str) -> tuple[str, str]:
    """The text that ``text`` stands for, and the name of the sample ("" for a text of its own)."""
    name = text.removeprefix("sample:")
    if name != text and name in SAMPLES:
        return SAMPLES[name], name
    return text, ""


def picture() -> bytes:
    """A small PNG: a green disc on white."""
    rows = bytearray()
    middle = (_SIDE - 1) / 2
    for y in range(_SIDE):
        rows.append(0)
        for x in range(_SIDE):
            inside = (x - middle) ** 2 + (y - middle) ** 2 <= (_SIDE * 0.42) ** 2
            rows += b"\x2f\x8f\x5b" if inside else b"\xff\xff\xff"
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
