"""``GET /files/{id}/{name}``: a file by a signed link, in a way that lets it do nothing on our address.

Nothing is ever run: pictures of four kinds are shown, everything else is saved, types are never guessed, and the
answer is sandboxed should a browser show it all the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote

from warmline.conversations.attachment_links import PATH, AttachmentLinks
from warmline.conversations.attachments import Attachments
from warmline.conversations.events import MessagePosted
from warmline.conversations.views import visitor_item
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import is_uuid
from warmline.platform.file_types import fitting_name, is_picture
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import NOSNIFF, Receive, Scope, Send

_LONGEST_QUERY = 400
_KEPT_S = 3_600
_POLICY = (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'")
# The link itself is the permission: an agent's desk elsewhere may show the picture on its page.
_ANYWHERE = (b"cross-origin-resource-policy", b"cross-origin")


class FileRoutes:
    """Answers signed links."""

    def __init__(self, attachments: Attachments, links: AttachmentLinks) -> None:
        self._attachments = attachments
        self._links = links

    def routes(self) -> list[RawRoute]:
        """The route, for the front."""
        return [RawRoute(path=PATH, method="GET", handler=self.read, prefix=True, operation=_OPERATION)]

    async def read(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The file.  403 for a link that is forged or over, 404 for a file that was erased."""
        attachment_id = scope["path"].removeprefix(PATH).partition("/")[0]
        query = parse_qs(scope["query_string"][:_LONGEST_QUERY].decode("latin-1"))
        if not is_uuid(attachment_id):
            raise NotFound("There is no such file.")
        expires, signature = query.get("expires", [""])[-1], query.get("signature", [""])[-1]
        left = self._links.check(attachment_id, expires, signature)
        row = await self._attachments.get(attachment_id)
        # Again, for files that are older than this rule.
        name = fitting_name(row.name, row.media_type)
        headers = [
            (b"content-type", _content_type(row.media_type)),
            (b"content-length", b"%d" % row.size),
            (b"content-disposition", _disposition(name, inline=is_picture(row.media_type))),
            (b"cache-control", b"private, max-age=%d, immutable" % min(left, _KEPT_S)),
            (b"referrer-policy", b"no-referrer"),
            _POLICY,
            _ANYWHERE,
            NOSNIFF,
        ]
        async with contextlib.aclosing(self._attachments.pieces(attachment_id)) as pieces:
            # Before the answer begins, so that a blob that is not there can still be a 404.
            piece = await anext(pieces, b"")
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] == "HEAD":
                piece = b""
            while piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await anext(pieces, b"")
            await send({"type": "http.response.body", "body": b""})


def item_with_links(links: AttachmentLinks) -> Callable[[Recorded], dict[str, Any]]:
    """``visitor_item`` whose files carry a ``url`` (a path on this server) that works for an hour at least."""

    def item(event: Recorded) -> dict[str, Any]:
        shown = visitor_item(event)
        if isinstance(event.body, MessagePosted) and event.body.attachments:
            for file, one in zip(shown["data"]["attachments"], event.body.attachments, strict=True):
                file["url"] = links.shown(one)
        return shown

    return item


def _content_type(media_type: str) -> bytes:
    # A text of a stranger must not be read in an encoding of its own choice.
    return f"{media_type}; charset=utf-8".encode() if media_type.startswith("text/") else media_type.encode()


def _disposition(name: str, *, inline: bool) -> bytes:
    """RFC 6266: a plain name for old clients, the real one for the rest."""
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"\\' else "_" for one in name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}".encode("ascii")


_OPERATION = Operation(
    id="readFile",
    summary="Read a file by its link",
    description="Links stand in messages, and in what helpdesks are told. They are signed and expire.",
    tags=("Files",),
    path="/files/{file_id}/{name}",
    parameters=(
        Parameter(name="file_id", where="path", description="From the link.", required=True),
        Parameter(name="name", where="path", description="From the link; any other works as well.", required=True),
        Parameter(name="expires", where="query", description="From the link.", required=True),
        Parameter(name="signature", where="query", description="From the link.", required=True),
    ),
    responses={200: bytes},
    problems=(403, 404),
)
