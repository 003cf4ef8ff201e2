"""Salesforce Enhanced Chat (Messaging for In-App and Web) as a custom client: a token and an event stream per handover."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec

from warmline.desks.salesforce.client import DESK, PAGE, Entry, MessagingClient, Token, Upload
from warmline.desks.salesforce.ids import derived_id, item_id, message_id
from warmline.desks.salesforce.inbound import VISITOR, Heard, Here, asked_about, hear, hear_all
from warmline.desks.salesforce.payload import PAYLOAD, SalesforcePayload
from warmline.desks.salesforce.settings import FORM, check_settings, read_settings
from warmline.desks.salesforce.telling import context_text, routing_attributes
from warmline.desks.salesforce.words import words_of
from warmline.desks.shared.pace import Pace
from warmline.handover.desk_kinds import DeskKind, Linked
from warmline.handover.port import (
    AuthRejected,
    Availability,
    DeskError,
    DeskEvent,
    EndReason,
    File,
    HandoverRequest,
    Health,
    InboundDelivery,
    Manifest,
    Outbound,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    Polled,
    QueueRef,
    Receipt,
    Refused,
    Thread,
    Unsupported,
    VisitorLine,
)
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing, Stream
from warmline.platform.sse import SseParser

_MANIFEST = Manifest.load(Path(__file__).with_name("manifest.toml"))
_AT_ONCE, _PER_MINUTE = 14, 8
"""Together 22, which Salesforce takes in any minute of a conversation (documented): chats come in bursts."""
_MOST_FILE_BYTES = 5 * 1024 * 1024
_NO_SUCH_FILE = frozenset({413, 415})
_OVER = frozenset({401, 403, 404, 409, 410})
_MOST_PAGES = 40
_CLOCKS_DIFFER_MS = 60_000
"""Lists are asked for so much more, by Salesforce's clock; what is known already is known by its id."""
_OVERLAP_MS = 5_000
_RENEW_AGAIN_MS = 30_000
_MOST_KNOWN = 10_000
_EXPIRED = re.compile(rb"(?im)^(?!data:|event:|id:|:).*jwt.{0,20}expired")
T = TypeVar("T")


class SalesforceDesk:
    """One deployment.  ``Thread.ref`` is the conversation's id, which we make from the request's."""

    manifest: ClassVar[Manifest] = _MANIFEST

    def __init__(self, linked: Linked, outgoing: Outgoing, clock: Clock) -> None:
        self._linked = linked
        self._clock = clock
        self._settings = read_settings(linked.settings)
        told = self._settings
        self._client = MessagingClient(
            outgoing, clock, base=told.scrt_url, org=told.org, developer_name=told.developer_name
        )
        self._pace = Pace(clock, per_minute=_PER_MINUTE, burst=_AT_ONCE)
        # What was found out since the stored state was: renewed tokens, and whose id a message of ours got.
        self._tokens: dict[str, Here] = {}
        self._items: dict[str, str] = {}

    async def check(self) -> Health:
        """Ask for a token, which begins nothing."""
        try:
            await self._client.new_token("check")
        except DeskError as error:
            return Health(ok=False, sentence=f"Salesforce: {error.detail}")
        return Health(ok=True, sentence="Salesforce answers and knows this deployment.")

    async def availability(self, queue: QueueRef) -> Availability:
        """Unknown: the call that the release notes mention is not in the reference."""
        del queue
        return Availability.UNKNOWN

    # -- beginning -----------------------------------------------------------------------------------------------

    async def prepare(self, request: HandoverRequest) -> Thread:
        """A token, and with it the stream that has to stand before the conversation begins."""
        token = await self._client.new_token("open")
        given = request.payload
        figures = given.receive_queue_updates if isinstance(given, SalesforcePayload) else True
        here = self._with(Here(token="", last_event_id=token.last_event_id, figures=figures), token)
        return self._linked.thread(
            request, derived_id("conversation", self._linked.connection_id, request.id), msgspec.to_builtins(here)
        )

    async def open(self, request: HandoverRequest) -> Thread:
        """Begin the conversation and say what was said before.  Both have ids of ours: a repetition is known as one."""
        thread = request.prepared or await self.prepare(request)
        settings = self._settings
        attributes = routing_attributes(settings.table, request)
        context = context_text(request, most_bytes=int(settings.context_bytes))
        if settings.context_parameter:
            attributes[settings.context_parameter] = context
        given = request.payload.language if isinstance(request.payload, SalesforcePayload) else None
        language = given or request.language
        await self._asked(thread, "open", lambda token: self._client.start(token, thread.ref, attributes, language))
        if not settings.context_parameter:
            await self._pace.take(thread.ref)
            first, more = derived_id("context", request.id), {"routingAttributes": attributes, "language": language}
            await self._asked(
                thread, "open", lambda token: self._client.say(token, thread.ref, first, context, "open", **more)
            )
        return thread

    # -- speaking ------------------------------------------------------------------------------------------------

    async def send(self, thread: Thread, item: Outbound) -> Receipt:
        """A line of the visitor, his files, or his typing."""
        match item:
            case OutboundMessage():
                return await self._bring(thread, item)
            case OutboundTyping():
                entry = derived_id("typing", thread.ref, str(self._clock.now()))
                await self._asked(
                    thread, "send", lambda token: self._client.typing(token, thread.ref, entry, on=item.on)
                )
            case OutboundNote():
                raise Unsupported("Enhanced Chat takes no notes.", desk=DESK, operation="send")
        return Receipt()

    async def _bring(self, thread: Thread, item: OutboundMessage) -> Receipt:
        """Text first, then each file.  The last of them has the item's own id: where that stands, all of it does."""
        parts: list[str | File] = [*([item.text] if item.text else []), *item.attachments]
        last = message_id(item.id)
        if len(self._items) >= _MOST_KNOWN:
            self._items.clear()
        self._items[last] = item.id
        for place, part in enumerate(parts):
            number = last if place == len(parts) - 1 else derived_id("part", item.id, str(place))
            await self._pace.take(thread.ref)
            if isinstance(part, File):
                await self._upload(thread, number, part)
            else:
                await self._say(thread, number, part)
        return Receipt(vendor_id=last)

    async def _say(self, thread: Thread, number: str, text: str) -> None:
        await self._asked(thread, "send", lambda token: self._client.say(token, thread.ref, number, text, "send"))

    async def _upload(self, thread: Thread, number: str, file: File) -> None:
        if file.size <= _MOST_FILE_BYTES:
            upload = Upload(
                id=derived_id("file", number), name=file.name, media_type=file.media_type, body=await file.read()
            )
            try:
                await self._asked(thread, "send", lambda token: self._client.upload(token, thread.ref, number, upload))
            except Refused as error:
                if error.vendor_status not in _NO_SUCH_FILE:
                    raise
            else:
                return
        # Too large, or of a kind that this org does not take: its link says where it is.
        await self._say(thread, number, f"{file.name}: {file.url}")

    async def close(self, thread: Thread, reason: EndReason) -> None:
        """End the session, and the conversation where the connection says so; what is over already is as good."""
        del reason
        if thread.state is None:
            return
        await self._end(thread, session=True)
        if self._settings.close_conversation:
            await self._end(thread, session=False)
        self._tokens.pop(thread.ref, None)

    async def _end(self, thread: Thread, *, session: bool) -> None:
        try:
            await self._asked(thread, "close", lambda token: self._client.end(token, thread.ref, session=session))
        except Refused as error:
            if error.vendor_status not in _OVER:
                raise

    async def history(self, thread: Thread, since: int) -> Sequence[DeskEvent]:
        """Everything in the conversation since a moment, the visitor's lines under our ids."""
        found: dict[str, Entry] = {}
        async for entry in self._listed(thread, since - _CLOCKS_DIFFER_MS, "send"):
            found[entry.identifier] = entry
        here, events = _state(thread.state), list[DeskEvent]()
        for entry in found.values():
            line = self._own(thread.ref, entry)
            events += [line] if line else hear(entry, here, ref=thread.ref).events
        return events

    def _own(self, ref: str, entry: Entry) -> VisitorLine | None:
        sender, payload = entry.sender, entry.entry_payload
        if entry.entry_type != "Message" or not isinstance(sender, dict) or sender.get("role") != VISITOR:
            return None
        message = payload.get("abstractMessage") if isinstance(payload, dict) else None
        message = message if isinstance(message, dict) else {}
        number = str(message.get("id") or entry.identifier)
        at = entry.client_timestamp or entry.transcripted_timestamp
        ours = self._items.get(number) or item_id(number)
        return VisitorLine(thread_ref=ref, text=words_of(message), item_id=ours, occurred_at=at)

    # -- listening -----------------------------------------------------------------------------------------------

    async def listen(self, thread: Thread, state: Any) -> AsyncIterator[Polled]:
        """The stream from the last event that was stored on; after a break, first what can be listed since then."""
        here = await self._current(thread.ref, _state(state))
        for last_try in (False, True):
            try:
                async with (
                    self._client.stream(here.token, here.last_event_id) as stream,
                    contextlib.aclosing(self._read(thread, stream, here)) as stretches,
                ):
                    async for polled in stretches:
                        yield polled
            except AuthRejected as error:
                if last_try or error.vendor_status != 401:
                    detail = "Salesforce does not let this visitor's token listen any more."
                    raise Refused(detail, desk=DESK, operation="listen", vendor_status=error.vendor_status) from error
                here = await self._renew(thread.ref, here)
            else:
                return

    async def _read(self, thread: Thread, stream: Stream, here: Here) -> AsyncGenerator[Polled, None]:
        missed = Heard((), here)
        if here.listened:
            missed = await self._settled(thread, here, await self._missed(thread, here))
        here = msgspec.structs.replace(missed.here, listened=True)
        yield Polled(missed.events, msgspec.to_builtins(here), done=missed.over)
        parser = SseParser(last_id=here.last_event_id)
        if missed.over:
            return
        async for chunk in stream.chunks():
            heard = await self._settled(thread, here, hear_all(parser.feed(chunk), here, ref=thread.ref))
            after = heard.here if _EXPIRED.search(chunk) is None else msgspec.structs.replace(heard.here, renew_at=0)
            after = await self._renewed_in_time(thread.ref, after)
            if heard.events or after != here:
                here = after
                yield Polled(heard.events, msgspec.to_builtins(here), done=heard.over)
            if heard.over:
                return

    async def _settled(self, thread: Thread, before: Here, heard: Heard) -> Heard:
        """``heard``, and if an agent who had gone by then still goes unexplained, what the conversation says of it."""
        if heard.over or not before.left or heard.here.left != before.left:
            return heard
        try:
            status = await self._asked(
                thread, "listen", lambda token: self._client.routing_status(token, thread.ref, "listen")
            )
        except DeskError:
            return heard  # the stream says on; it is asked again with the next of it
        told = asked_about(status, heard.here, ref=thread.ref)
        return Heard((*heard.events, *told.events), told.here)

    async def _missed(self, thread: Thread, here: Here) -> Heard:
        """What was not heard while no stream stood; nothing when there is no conversation yet."""
        heard = Heard((), here)
        with contextlib.suppress(Refused):
            async for entry in self._listed(thread, here.since - _OVERLAP_MS, "listen"):
                one = hear(entry, heard.here, ref=thread.ref)
                heard = Heard((*heard.events, *one.events), one.here, heard.over or one.over)
        return heard

    async def _listed(self, thread: Thread, since: int, operation: str) -> AsyncIterator[Entry]:
        """Entries since a moment, each once, page by page."""
        seen: set[str] = set()
        since = max(0, since)
        for _page in range(_MOST_PAGES):
            page = await self._page(thread, since, operation)
            new = [entry for entry in page if entry.identifier not in seen]
            for entry in new:
                seen.add(entry.identifier)
                since = max(since, entry.transcripted_timestamp or 0)
                yield entry
            if len(page) < PAGE or not new:
                return

    async def _page(self, thread: Thread, since: int, operation: str) -> list[Entry]:
        return await self._asked(
            thread, operation, lambda token: self._client.entries(token, thread.ref, since, operation)
        )

    def parse(self, delivery: InboundDelivery) -> Sequence[DeskEvent]:
        """Nobody delivers to this desk.  Raises Unsupported."""
        del delivery
        raise Unsupported("Enhanced Chat sends no deliveries; it is listened to.", desk=DESK, operation="parse")

    # -- tokens --------------------------------------------------------------------------------------------------

    async def _asked(self, thread: Thread, operation: str, call: Callable[[str], Awaitable[T]]) -> T:
        """A call with the visitor's token; with a renewed one when that has expired.

        403 says that the session is gone: permanent for this item, and no fault of the connection.
        """
        here = self._newest(thread.ref, _state(thread.state))
        try:
            return await call(here.token)
        except AuthRejected as error:
            if error.vendor_status == 401:
                here = await self._renew(thread.ref, here)
                return await call(here.token)
            detail = "Salesforce says that this visitor's session is not valid any more."
            raise Refused(detail, desk=DESK, operation=operation, vendor_status=403) from error

    async def _current(self, ref: str, here: Here) -> Here:
        here = self._newest(ref, here)
        due = here.renew_at is not None and self._clock.now() >= here.renew_at
        return await self._renew(ref, here) if due else here

    async def _renewed_in_time(self, ref: str, here: Here) -> Here:
        try:
            return await self._current(ref, here)
        except DeskError:
            # The token may be good for a while yet; if it is not, the stream ends and says so.
            return msgspec.structs.replace(here, renew_at=self._clock.now() + _RENEW_AGAIN_MS)

    def _newest(self, ref: str, here: Here) -> Here:
        known = self._tokens.get(ref)
        # Another node may have renewed it since, and stored that.
        if known is None or (known.renew_at or 0) <= (here.renew_at or 0):
            return here
        return msgspec.structs.replace(here, token=known.token, renew_at=known.renew_at)

    async def _renew(self, ref: str, here: Here) -> Here:
        try:
            token = await self._client.renewed(here.token, "listen")
        except AuthRejected as error:
            # One visitor's token, not the connection: nobody has to reconnect anything.
            detail = "The visitor's token has expired and cannot be renewed."
            raise Refused(detail, desk=DESK, operation="listen", vendor_status=error.vendor_status) from error
        renewed = self._with(here, token)
        if len(self._tokens) >= _MOST_KNOWN:
            self._tokens.clear()
        self._tokens[ref] = renewed
        return renewed

    def _with(self, here: Here, token: Token) -> Here:
        now = self._clock.now()
        renew_at = None if token.expires_at is None else now + (token.expires_at - now) * 3 // 4
        return msgspec.structs.replace(here, token=token.value, renew_at=renew_at)


def _state(state: Any) -> Here:
    try:
        return msgspec.convert(state, Here)
    except msgspec.ValidationError as error:
        raise Refused("This conversation's token is not known any more.", desk=DESK, operation="listen") from error


def salesforce_kind(outgoing: Outgoing, clock: Clock) -> DeskKind:
    """The kind to register; desks made by it call through ``outgoing``."""
    return DeskKind(
        manifest=_MANIFEST,
        form=FORM,
        check_settings=check_settings,
        make=lambda linked: SalesforceDesk(linked, outgoing, clock),
        payload=PAYLOAD,
        summary="Agents answer in Salesforce, by Enhanced Chat (Messaging for In-App and Web)",
    )
