"""Live fan-out within one process: committed events to the connections that watch their conversation.

The journal's hand-off may come late, twice, or not at all; each conversation's channel therefore passes on only
the exactly next ``seq`` and reads a hole from the journal.  Rendering is shared: an event is written as a frame
once, however many tabs watch it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import structlog

from warmline.kernel.errors import WarmlineError
from warmline.web.stream_frames import DRAIN, HEARTBEAT, RESYNC, event_frame, join_skips, ping_frame, text_of
from warmline.web.stream_outlet import Frame, Outlet
from warmline.web.stream_ports import EventsAfter, StreamBus, StreamJournal

log = structlog.get_logger(__name__)

PING_EVERY_S = 25
MISSED_PINGS = 3
TYPING_LASTS_S = 8.0
PAGE = 200

Audience = Literal["visitor", "agent"]


class Channel:
    """One watched conversation.  ``top`` is the newest seq handed on, None until the first reader has synced."""

    __slots__ = ("conversation", "hint", "outlets", "repair", "top", "typing", "users")

    def __init__(self, conversation: str) -> None:
        self.conversation = conversation
        self.top: int | None = None
        self.hint = 0
        self.users = 0
        self.outlets: list[Outlet] = []
        self.repair: asyncio.Task[None] | None = None
        self.typing: dict[str, float] | None = None


class Hub:
    """Channels of one audience.  ``item`` renders an event for it; ``events`` reads what a hand-off left out."""

    def __init__(
        self,
        journal: StreamJournal,
        bus: StreamBus,
        *,
        item: Callable[[Any], dict[str, Any]],
        events: EventsAfter,
        audience: Audience = "visitor",
        kind: str = "conversation",
    ) -> None:
        self.journal = journal
        self.bus = bus
        self.item = item
        self.events = events
        self._audience = audience
        self._kind = kind
        self._channels: dict[str, Channel] = {}
        self._typing: set[Channel] = set()
        self._wheel: list[set[Outlet]] = [set() for _ in range(PING_EVERY_S)]
        self._hand = 0
        self._next_slot = 0
        self._stops: list[Callable[[], None]] = []
        self._subscriptions: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self.draining = False
        self._empty: asyncio.Event | None = None

    async def start(self) -> None:
        """Begin to listen; connections may come from now on."""
        self._stops.append(self.journal.listen(self._on_events))
        self._subscriptions = [
            await self.bus.subscribe("typing.*", self._on_typing),
            await self.bus.subscribe("read.*", self._on_read),
        ]
        self._timer = asyncio.get_running_loop().call_later(1.0, self._tick)

    async def stop(self) -> None:
        """Stop listening.  Connections should have been drained before."""
        if self._timer is not None:
            self._timer.cancel()
        for stop in self._stops:
            stop()
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        if self._looking is not None:
            self._looking.cancel()
        for channel in self._channels.values():
            if channel.repair is not None:
                channel.repair.cancel()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return sum(len(slot) for slot in self._wheel)

    @property
    def watched(self) -> int:
        """How many conversations somebody watches now."""
        return len(self._channels)

    # Connections

    def register(self, outlet: Outlet) -> None:
        """Count a new connection and give it its place on the ping wheel."""
        outlet.slot = self._next_slot
        self._next_slot = (self._next_slot + 1) % PING_EVERY_S
        self._wheel[outlet.slot].add(outlet)
        if self.draining:
            outlet.close(DRAIN, "restarting")

    def unregister(self, outlet: Outlet) -> None:
        """Forget a connection that has ended."""
        self._wheel[outlet.slot].discard(outlet)
        self.detach(outlet)
        if self._empty is not None and not self.connections:
            self._empty.set()

    def enter(self, conversation: str) -> Channel:
        """The conversation's channel, held open until ``leave``.  From now on its events are noticed."""
        channel = self._channels.get(conversation)
        if channel is None:
            channel = self._channels[conversation] = Channel(conversation)
        channel.users += 1
        return channel

    def leave(self, channel: Channel) -> None:
        """Give back one hold on a channel."""
        channel.users -= 1
        if channel.users == 0:
            self._channels.pop(channel.conversation, None)
            self._typing.discard(channel)
            if channel.repair is not None:
                channel.repair.cancel()

    async def attach(self, channel: Channel, outlet: Outlet, seq: int, sync: Frame) -> None:
        """Hand ``sync`` (which covers everything up to ``seq``) to the outlet and let it follow live from there."""
        late: list[Frame] = []
        # Others may already have been given what was committed while this one's sync was read.
        while channel.top is not None and seq < channel.top:
            rendered = await self.render_after(channel.conversation, seq)
            if not rendered:
                break
            late += rendered
            seq = rendered[-1].seq or seq
        # No await from here on: joining and the first live event cannot interleave.
        for frame in (sync, *late):
            outlet.push(frame)
        outlet.known = seq
        outlet.channel = channel
        channel.outlets.append(outlet)
        if channel.top is None:
            channel.top = seq
        channel.hint = max(channel.hint, seq)
        self._repair_if_behind(channel)

    def detach(self, outlet: Outlet) -> None:
        """Stop following; the connection itself stays."""
        channel = outlet.channel
        if channel is not None:
            outlet.channel = None
            channel.outlets.remove(outlet)
            self.leave(channel)

    async def render_after(self, conversation: str, seq: int) -> list[Frame]:
        """Frames for up to 200 committed events after ``seq``; neighbouring hidden ones share a frame."""
        recorded = await self.events(conversation, after=seq, limit=PAGE)
        items = join_skips([self.item(event) for event in recorded])
        return [Frame(event_frame(conversation, item), item.get("to", item["seq"])) for item in items]

    # Events

    def _on_events(self, events: Sequence[Any]) -> None:
        channels = self._channels
        for event in events:
            if event.stream_kind != self._kind:
                continue
            channel = channels.get(event.stream_id)
            if channel is None:
                continue
            if channel.top is not None and channel.repair is None and event.seq == channel.top + 1:
                frame = Frame(event_frame(channel.conversation, self.item(event)), event.seq)
                self._deliver(channel, frame)
            elif event.seq > channel.hint:
                channel.hint = event.seq
                self._repair_if_behind(channel)

    @staticmethod
    def _deliver(channel: Channel, frame: Frame) -> None:
        seq = frame.seq or 0
        channel.top = seq
        channel.hint = max(channel.hint, seq)
        for outlet in channel.outlets:
            if outlet.known < seq:
                outlet.known = seq
                outlet.push(frame)

    def _repair_if_behind(self, channel: Channel) -> None:
        if channel.top is not None and channel.top < channel.hint and channel.repair is None:
            channel.repair = asyncio.get_running_loop().create_task(self._repair(channel))

    async def _repair(self, channel: Channel) -> None:
        try:
            while channel.top is not None and channel.top < channel.hint:
                frames = await self.render_after(channel.conversation, channel.top)
                if not frames:
                    break
                for frame in frames:
                    self._deliver(channel, frame)
        except Exception:  # whatever went wrong, the readers resume from the journal
            log.exception("live repair failed", conversation=channel.conversation)
            for outlet in channel.outlets:
                outlet.close(RESYNC, "resume")
        finally:
            channel.repair = None

    # Typing and reading

    def _on_typing(self, subject: str, data: bytes) -> None:
        """``typing.<conversation>`` carries ``<who> 0|1``."""
        channel, who, value = self._signal(subject, data)
        if channel is None:
            return
        if value:
            until = asyncio.get_running_loop().time() + TYPING_LASTS_S
            channel.typing = {**(channel.typing or {}), who: until}
            self._typing.add(channel)
        elif channel.typing:
            channel.typing.pop(who, None)
        self._broadcast(channel, {"frame": "typing", "who": who, "on": bool(value)})

    def _on_read(self, subject: str, data: bytes) -> None:
        """``read.<conversation>`` carries ``<who> <seq>``."""
        channel, who, seq = self._signal(subject, data)
        if channel is not None:
            self._broadcast(channel, {"frame": "read", "by": who, "seq": seq})

    def _signal(self, subject: str, data: bytes) -> tuple[Channel | None, str, int]:
        """The watched conversation a signal is for (None: nobody here wants it), who sent it, and its number."""
        channel = self._channels.get(subject.partition(".")[2])
        who, _, value = data.partition(b" ")
        if channel is None or not value.isdigit() or who == self._audience.encode():
            return None, "", 0
        return channel, who.decode("ascii", "replace"), int(value)

    @staticmethod
    def _broadcast(channel: Channel, frame: dict[str, Any]) -> None:
        shared = Frame(text_of(frame))
        for outlet in channel.outlets:
            outlet.push(shared)

    # Time

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(1.0, self._tick)
        self._hand = (self._hand + 1) % PING_EVERY_S
        due = tuple(self._wheel[self._hand])
        self.ping(due)
        if due and (self._looking is None or self._looking.done()):
            self._looking = loop.create_task(self.look_for_missed(due))
        self.expire_typing(loop.time())

    @staticmethod
    def ping(outlets: Iterable[Outlet]) -> None:
        """Send each a heartbeat; one that has not been heard through three of them is closed."""
        for outlet in outlets:
            outlet.unheard += outlet.answers_pings
            # Somebody who has not said hello gets one round only.
            if outlet.unheard > (MISSED_PINGS if outlet.visitor else 1):
                outlet.close(HEARTBEAT, "no answer to pings")
            else:
                outlet.push(Frame(ping_frame(outlet.known)))

    async def look_for_missed(self, outlets: Iterable[Outlet]) -> None:
        """Compare with the store what these outlets were given: a node may die between its commit and its hand-off."""
        watched = {outlet.channel.conversation for outlet in outlets if outlet.channel is not None}
        try:
            heads = await self.journal.heads(self._kind, sorted(watched)) if watched else {}
        except WarmlineError as error:
            log.info("heads not read", code=error.code)
            return
        for conversation, seq in heads.items():
            channel = self._channels.get(conversation)
            if channel is not None and seq > channel.hint:
                channel.hint = seq
                self._repair_if_behind(channel)

    def expire_typing(self, now: float) -> None:
        """Tell watchers that somebody stopped typing who never said so."""
        for channel in tuple(self._typing):
            over = [who for who, until in (channel.typing or {}).items() if until <= now]
            for who in over:
                del channel.typing[who]  # type: ignore[union-attr]
                self._broadcast(channel, {"frame": "typing", "who": who, "on": False})
            if not channel.typing:
                self._typing.discard(channel)

    def everyone(self) -> list[Outlet]:
        """The open connections."""
        return [outlet for slot in self._wheel for outlet in slot]

    async def drain(self, within_ms: int = 1_000, patience_s: float = 5.0) -> None:
        """Ask every connection to come back elsewhere: a ``drain`` frame, then close 4002."""
        self.draining = True
        notice = Frame(text_of({"frame": "drain", "within_ms": within_ms}))
        for outlet in self.everyone():
            outlet.push(notice)
        self._empty = asyncio.Event()
        if not self.connections:
            return
        # Clients leave at a moment of their own within the time given, so that they do not all come back at once.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within_ms / 1000)
        for outlet in self.everyone():
            outlet.close(DRAIN, "restarting")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), patience_s)
