"""Static files, read once at start and served under a path that names their content.

``/assets/{digest}/{root}/{file}``: one digest over all files, so that modules and style sheets may refer to each other by
relative paths and still be cached for ever.  An old digest (a page from before an upgrade) gets today's file, uncached.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path

import msgspec

from warmline.kernel.errors import NotFound

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_PACKABLE = frozenset({".js", ".css", ".svg", ".json"})
_SKIPPED = frozenset({".toml", ".md"})


class _File(msgspec.Struct, frozen=True):
    body: bytes
    packed: bytes | None
    media_type: str


class Assets:
    """The files below some folders, each folder under a name of its own.  Raises OSError when one cannot be read."""

    def __init__(self, roots: Mapping[str, Path]) -> None:
        self._files: dict[str, _File] = {}
        digest = hashlib.sha256()
        for root, folder in sorted(roots.items()):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix not in _SKIPPED:
                    name = f"{root}/{path.relative_to(folder).as_posix()}"
                    self._files[name] = _load(path)
                    digest.update(name.encode() + b"\0" + self._files[name].body)
        self.digest = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """The path of ``root/file``.  Raises KeyError when there is no such file: a page must not link to nothing."""
        if name not in self._files:
            raise KeyError(name)
        return f"/assets/{self.digest}/{name}"

    def find(self, digest: str, name: str, accepted_encodings: str) -> tuple[bytes, str, dict[str, str]]:
        """The file, compressed when the browser can read that; its media type and its headers.  Raises NotFound."""
        file = self._files.get(name)
        if file is None:
            raise NotFound
        current = digest == self.digest
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if current else "no-cache",
            "x-content-type-options": "nosniff",
            "vary": "accept-encoding",
        }
        body = file.body
        if file.packed is not None and "gzip" in accepted_encodings:
            headers["content-encoding"] = "gzip"
            body = file.packed
        return body, file.media_type, headers


def _load(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 9, mtime=0) if path.suffix in _PACKABLE else None
    return _File(body, packed if packed and len(packed) < len(body) else None, media_type)
