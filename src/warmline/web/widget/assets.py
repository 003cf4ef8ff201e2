"""The widget's files: loader, modules and styles from the package, with ETags and an immutable address."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from warmline.kernel.errors import NotFound
from warmline.web.problems import NOSNIFF, Receive, Scope, Send, send_bytes
from warmline.web.security import header
from warmline.web.widget.joined import join_scripts
from warmline.web.widget.lighten import lighten_script, lighten_style

STATIC = "/widget/static/"
LOADER = "loader.js"
APP = "app.js"
_IMMUTABLE = b"public, max-age=31536000, immutable"
_SHORT = b"public, max-age=300, must-revalidate"
_ASK = b"public, no-cache"
_NEVER = b"no-store"
_DIGEST = re.compile(r"[0-9a-f]{16}")
# The loader runs in pages of other origins, which may demand this of everything they embed.
_CROSS_ORIGIN = (b"cross-origin-resource-policy", b"cross-origin")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent.  ``packed`` is the body under gzip, None where that would not be smaller."""

    body: bytes
    packed: bytes | None
    media_type: bytes
    etag: bytes


def load_assets(folder: Traversable) -> dict[str, Asset]:
    """Every file below ``folder`` by its path with slashes; the app's script has its modules in it."""
    bodies: dict[str, bytes] = {}

    def walk(place: Traversable, prefix: str) -> None:
        for entry in place.iterdir():
            name = f"{prefix}{entry.name}"
            if entry.is_dir():
                walk(entry, f"{name}/")
            else:
                bodies[name] = _light(name, entry.read_bytes())

    walk(folder, "")
    if APP in bodies:
        # The single modules stay: during an update, a page of a node of before may still ask for them.
        scripts = {name: body.decode() for name, body in bodies.items() if name.endswith(".js")}
        bodies[APP] = join_scripts(scripts, APP).encode()
    return {name: _asset(name, body) for name, body in bodies.items()}


def _asset(name: str, body: bytes) -> Asset:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
    return Asset(body, _pack(body), _media_type(name), etag)


def _light(name: str, body: bytes) -> bytes:
    if name.endswith(".js"):
        return lighten_script(body.decode()).encode()
    if name.endswith(".css"):
        return lighten_style(body.decode()).encode()
    return body


def _pack(body: bytes) -> bytes | None:
    packed = gzip.compress(body, 9, mtime=0)
    return packed if len(packed) < len(body) else None


def _media_type(name: str) -> bytes:
    if name.endswith((".js", ".mjs")):
        return b"text/javascript; charset=utf-8"
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8".encode() if guessed.startswith("text/") else guessed.encode()


class Assets:
    """Serves ``/widget/loader.js`` and ``/widget/static/…``.

    ``/widget/static/<digest>/app.js`` may be cached for ever: the digest covers every file.  Without
    it the browser must ask again.
    """

    def __init__(self) -> None:
        self._files = load_assets(resources.files("warmline.web.widget") / "static")
        total = hashlib.sha256()
        for name in sorted(self._files):
            total.update(name.encode() + b"\0" + self._files[name].etag)
        self.digest = total.hexdigest()[:16]

    @property
    def prefix(self) -> str:
        """The immutable address under which the files stand, without a slash at the end."""
        return f"{STATIC}{self.digest}"

    async def loader(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The script that a page embeds; its address never changes, so it is kept for five minutes only."""
        await self._send(scope, send, LOADER, _SHORT)

    async def static(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """A file, by its immutable address or by its plain one."""
        name: str = scope["path"].removeprefix(STATIC)
        version, _, rest = name.partition("/")
        if version == self.digest:
            await self._send(scope, send, rest, _IMMUTABLE)
        elif _DIGEST.fullmatch(version):
            # A page of a node with another version, during an update: our file does, but must not be kept as that one's.
            await self._send(scope, send, rest, _NEVER)
        else:
            await self._send(scope, send, name, _ASK)

    async def _send(self, scope: Scope, send: Send, name: str, cache: bytes) -> None:
        asset = self._files.get(name)
        if asset is None:
            raise NotFound("There is no such file.")
        headers = [(b"etag", asset.etag), (b"cache-control", cache), NOSNIFF, _CROSS_ORIGIN]
        if header(scope, b"if-none-match") == asset.etag:
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        body = asset.body
        if asset.packed is not None and b"gzip" in (header(scope, b"accept-encoding") or b""):
            body = asset.packed
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"vary", b"accept-encoding"))
        await send_bytes(send, 200, body, [(b"content-type", asset.media_type), *headers])
