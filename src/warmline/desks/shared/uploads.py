"""A file as the body of an upload: ``multipart/form-data`` with one part."""

from __future__ import annotations

import secrets


def file_form(field: str, name: str, media_type: str, content: bytes) -> tuple[str, bytes]:
    """The Content-Type and the body of a form whose only part is a file.

    The name goes along as browsers write it: in UTF-8, with quotes and line ends as percent signs.
    """
    boundary = f"warmline-{secrets.token_hex(16)}"
    safe = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    kind = (
        media_type if media_type.isascii() and media_type.isprintable() and media_type else "application/octet-stream"
    )
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{safe}"\r\nContent-Type: {kind}\r\n\r\n'
    return f"multipart/form-data; boundary={boundary}", head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
