"""Forms with files, as vendors take uploads (RFC 7578)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\]')


@dataclass(frozen=True, slots=True)
class Part:
    """One field.  ``file_name`` makes it a file; line breaks and quotes in it become ``_``."""

    name: str
    body: bytes = field(repr=False)
    media_type: str = ""
    file_name: str = ""


def multipart(parts: Sequence[Part]) -> tuple[str, bytes]:
    """The content type, with its boundary, and the body."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for part in parts:
        disposition = f'form-data; name="{part.name}"'
        if part.file_name:
            disposition += f'; filename="{_UNSAFE.sub("_", part.file_name)}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
        head += f"Content-Type: {part.media_type}\r\n" if part.media_type else ""
        pieces += [head.encode(), b"\r\n", part.body, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(pieces)
