"""Reading an upload.  Reported: multipart, the file under ``file`` (``image`` for a picture is assumed)."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes, policy

from warmline.kernel.ids import uuid7
from warmline.simulators.base import VendorRefusal
from warmline.simulators.freshchat.bodies import INVALID
from warmline.simulators.freshchat.state import Upload


def uploaded(content_type: str, body: bytes, names: Sequence[str]) -> Upload:
    """The file in a multipart body, under one of ``names``.  Raises VendorRefusal 400."""
    if not content_type.startswith("multipart/form-data"):
        raise VendorRefusal(400, INVALID, note=f"multipart/form-data, not {content_type or 'nothing'}")
    whole = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    for part in whole.iter_parts():
        filename = part.get_filename()
        if filename and part.get_param("name", header="content-disposition") in names:
            content = part.get_payload(decode=True)
            raw = content if isinstance(content, bytes) else b""
            # A name that is part of an address later.
            plain = filename.replace("/", "_").replace("\\", "_")
            return Upload(id=uuid7(), name=plain, content_type=part.get_content_type(), body=raw)
    raise VendorRefusal(400, INVALID, note=f"no file under {' or '.join(names)}")
