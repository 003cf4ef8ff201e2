"""The visitor's side of a conversation: what his frames do, whichever transport brought them."""

from __future__ import annotations

from typing import Any

import structlog

from warmline.kernel.errors import Invalid, RateLimited, Unavailable, WarmlineError
from warmline.web import stream_frames as f
from warmline.web.hub import Hub
from warmline.web.stream_outlet import Frame, Outlet
from warmline.web.stream_ports import Conversations, Files, Limits, Views, Visitors
from warmline.web.stream_resume import check_owner, resume

log = structlog.get_logger(__name__)


class VisitorStream:
    """Use cases of the stream.  One per process; it holds no state of its own."""

    def __init__(
        self,
        hub: Hub,
        conversations: Conversations,
        visitors: Visitors,
        views: Views,
        limits: Limits,
        files: Files,
    ) -> None:
        self.hub = hub
        self.conversations = conversations
        self.visitors = visitors
        self._views = views
        self._limits = limits
        self._files = files

    async def hello(self, outlet: Outlet, frame: f.Hello) -> None:
        """Authenticate and begin to follow (again).  Raises Unauthorized, NotFound."""
        outlet.visitor = self.visitors.authenticate(frame.token)
        await self.follow(outlet, frame.conversation, frame.incarnation, frame.since)

    async def follow(self, outlet: Outlet, conversation: str, incarnation: str | None, since: int) -> None:
        """Bring an authenticated outlet up to date and keep it so.  Raises NotFound."""
        self.hub.detach(outlet)
        await resume(
            self.hub,
            self.conversations,
            self._views,
            outlet,
            conversation=conversation,
            incarnation=incarnation,
            since=since,
        )

    async def own(self, visitor: str, conversation: str) -> None:
        """Raises NotFound unless the conversation is this visitor's."""
        state, _seq = await self.conversations.snapshot(conversation)
        check_owner(self._views, state, visitor)

    async def perform(self, visitor: str, conversation: str, frame: f.SentFrame, address: str) -> dict[str, Any] | None:
        """Do what a frame of the visitor asks.  Returns its ``ack``, or None for frames that have none.

        Raises the refusal as a WarmlineError.  Nothing is acknowledged before it is committed.
        """
        match frame:
            case f.Typing():
                if not self._limits.take("visitor.typing", visitor):
                    await self.conversations.typing(conversation, "visitor", on=frame.on)
                return None
            case f.Read():
                # Nobody has read what is not written yet: such a mark would call all later words read.
                _state, top = await self.conversations.snapshot(conversation)
                await self.conversations.mark_read(conversation, "visitor", min(frame.seq, top))
                return None
            case _:
                self._throttle("visitor.message", visitor)
                self._throttle("address.message", address)
                return f.ack_frame(frame.client_id, await self._commit(visitor, conversation, frame))

    async def _commit(self, visitor: str, conversation: str, frame: f.Message | f.Cancel | f.End | f.Contact) -> int:
        service = self.conversations
        match frame:
            case f.Message():
                if not frame.text.strip() and not frame.attachments:
                    raise Invalid("This must not be empty.", path="$.text")
                return await service.say(
                    conversation,
                    visitor,
                    client_id=frame.client_id,
                    text=frame.text if frame.text.strip() else "",
                    reply_to=frame.reply_to,
                    attachments=await self._files.resolve(conversation, frame.attachments),
                )
            case f.Cancel():
                return await service.cancel_waiting(conversation, visitor, client_id=frame.client_id)
            case f.End():
                return await service.end(conversation, visitor, client_id=frame.client_id, epoch=frame.owner_epoch)
            case f.Contact():
                if not (frame.email.strip() or frame.phone.strip()):
                    raise Invalid("An e-mail address or a telephone number is needed.", path="$.email")
                return await service.leave_contact(
                    conversation,
                    visitor,
                    client_id=frame.client_id,
                    name=frame.name,
                    email=frame.email,
                    phone=frame.phone,
                    text=frame.text,
                )

    async def respond(
        self, visitor: str, conversation: str, frame: f.ClientFrame, address: str
    ) -> dict[str, Any] | None:
        """Do what a frame asks: its ``ack``, its ``refused``, or None when it has no answer."""
        if isinstance(frame, f.Hello | f.Pong):
            return None
        client_id: str | None = getattr(frame, "client_id", None)
        try:
            return await self.perform(visitor, conversation, frame, address)
        except WarmlineError as error:
            return f.refused_frame(client_id, error)
        except Exception:  # one frame's failure must not end the connection
            log.exception("frame failed", frame=type(frame).__name__, conversation=conversation)
            return f.refused_frame(client_id, Unavailable("This did not work on our side; try again."))

    def _throttle(self, rule: str, key: str) -> None:
        if wait := self._limits.take(rule, key):
            raise RateLimited("That was a lot at once; wait a moment.", retry_after=round(wait, 1))

    def push(self, outlet: Outlet, frame: dict[str, Any] | None) -> None:
        """Send a frame that concerns this connection alone."""
        if frame is not None:
            outlet.push(Frame(f.text_of(frame)))
