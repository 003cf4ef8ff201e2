"""A visitor's files: uploaded before the message that carries them, and links that are fresh again."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from warmline.conversations.attachment_links import AttachmentLinks
from warmline.conversations.attachments import Attachments
from warmline.conversations.model import ConversationState
from warmline.kernel.errors import Conflict, Forbidden, NotFound, TooLarge
from warmline.kernel.ids import is_uuid
from warmline.web import stream_frames as f
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import Receive, Scope, Send, send_json
from warmline.web.security import bearer, client_address, origin_of
from warmline.web.stream import VisitorStream
from warmline.web.stream_ports import Limits, Widgets
from warmline.web.stream_sse import parse_query
from warmline.web.uploads import NAME_HEADER, Upload, UploadedFile, uploaded
from warmline.web.widget.guards import check_origin, throttle

UPLOAD = "/widget/files"


class FileQuery(Struct, frozen=True):
    """The conversation that the file belongs to."""

    conversation: f.ConversationRef


class FileLink(Struct, frozen=True):
    """A path on this server that works for an hour at least."""

    url: str


class WidgetFiles:
    """``POST /widget/files`` and ``GET /widget/files/{id}``."""

    def __init__(
        self,
        stream: VisitorStream,
        widgets: Widgets,
        limits: Limits,
        attachments: Attachments,
        links: AttachmentLinks,
        *,
        public_url: str,
    ) -> None:
        self._stream = stream
        self._widgets = widgets
        self._limits = limits
        self._attachments = attachments
        self._links = links
        self._origin = origin_of(public_url)

    def routes(self) -> list[RawRoute]:
        """The routes, for the front."""
        return [
            RawRoute(path=UPLOAD, method="POST", handler=self.upload, operation=_UPLOAD),
            RawRoute(path=UPLOAD + "/", method="GET", handler=self.link, prefix=True, operation=_LINK),
        ]

    async def upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep a file for a message to come.  Its body is the file itself."""
        check_origin(scope, self._origin)
        state = await self._own(scope)
        if state.status != "open":
            raise Conflict("The conversation is closed.", code="closed")
        widget: Any = await self._widgets.get(state.widget_id or "")
        if not widget.look.attachments:
            raise Forbidden("Files cannot be sent here.", code="files_off")
        throttle(self._limits, "visitor.file", state.visitor_id)
        throttle(self._limits, "address.file", client_address(scope))
        upload = Upload(scope, receive, limit=self._attachments.policy.max_bytes)
        try:
            kept = await self._attachments.receive(state.id, upload.name, upload.chunks())
        except TooLarge as error:
            raise await upload.drain(error) from None
        await send_json(send, uploaded(kept), 201)

    async def link(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """A fresh link to a file of the visitor's own conversation."""
        state = await self._own(scope)
        attachment_id = scope["path"].removeprefix(UPLOAD + "/")
        if not is_uuid(attachment_id):
            raise NotFound("There is no such file.")
        row = await self._attachments.get(attachment_id)
        if row.conversation_id != state.id:
            raise NotFound("There is no such file.")
        await send_json(send, FileLink(self._links.shown(row.attachment)))

    async def _own(self, scope: Scope) -> ConversationState:
        visitor = self._stream.visitors.authenticate(bearer(scope))
        conversation = parse_query(scope, FileQuery).conversation
        await self._stream.own(visitor, conversation)
        state: ConversationState
        state, _seq = await self._stream.conversations.snapshot(conversation)
        return state


_CONVERSATION = Parameter(name="conversation", where="query", description="The conversation.", required=True)
_UPLOAD = Operation(
    id="uploadFile",
    summary="Send a file",
    description="The body is the file itself. A message then names its id in `attachments`; one that is named by no"
    " message within a day is deleted.",
    tags=("Widget",),
    request=bytes,
    responses={201: UploadedFile},
    problems=(400, 401, 403, 404, 409, 413, 429, 503),
    security=("visitor",),
    parameters=(
        _CONVERSATION,
        Parameter(name=NAME_HEADER, where="header", description="The file's name, percent-encoded.", required=True),
    ),
)
_LINK = Operation(
    id="linkFile",
    summary="Get a fresh link to a file",
    tags=("Widget",),
    path="/widget/files/{file_id}",
    responses={200: FileLink},
    problems=(400, 401, 404),
    security=("visitor",),
    parameters=(_CONVERSATION, Parameter(name="file_id", where="path", description="The file.", required=True)),
)
