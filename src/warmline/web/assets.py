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
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

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

    def respond(self, digest: str, name: str, accepted_encodings: str) -> Response[bytes]:
        """The file, compressed when the browser can read that.  Raises NotFound."""
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
        return Response(body, media_type=file.media_type, headers=headers)


def create_assets(assets: Assets) -> HTTPRouteHandler:
    """The one route that serves them."""

    @get("/assets/{digest:str}/{name:path}", include_in_schema=False, sync_to_thread=False)
    def asset(request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        return assets.respond(digest, name.lstrip("/"), request.headers.get("accept-encoding", ""))

    return asset


def _load(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 9, mtime=0) if path.suffix in _PACKABLE else None
    return _File(body, packed if packed and len(packed) < len(body) else None, media_type)
