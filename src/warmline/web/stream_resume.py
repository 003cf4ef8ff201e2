"""One answer to "I have everything up to ``since``": the whole gap in order, else a snapshot; never a part."""

from __future__ import annotations

from typing import Any

from warmline.kernel.errors import NotFound
from warmline.web.hub import Hub
from warmline.web.stream_frames import join_skips, text_of
from warmline.web.stream_outlet import Frame, Outlet
from warmline.web.stream_ports import Conversations, Views

GAP_EVENTS = 200
GAP_BYTES = 64 * 1024
SNAPSHOT_PAGES = 5
"""How far a snapshot looks back for visible events, in pages of 200."""


async def resume(
    hub: Hub,
    conversations: Conversations,
    views: Views,
    outlet: Outlet,
    *,
    conversation: str,
    incarnation: str | None,
    since: int,
) -> None:
    """Bring the outlet up to date and let it follow.  Raises NotFound when the conversation is not its visitor's."""
    channel = hub.enter(conversation)
    try:
        state, seq = await conversations.snapshot(conversation)
        check_owner(views, state, outlet.visitor)
        frame: dict[str, Any] = {
            "frame": "sync",
            "conversation": conversation,
            "incarnation": hub.journal.incarnation,
            "mode": "gap",
            "events": [],
            "seq": seq,
            "state": views.state(state),
            "reads": {"agent": 0, "visitor": 0} | await conversations.reads(conversation),
        }
        text = None
        if incarnation == hub.journal.incarnation:
            text = await _with_gap(frame, hub, since)
        if text is None:
            text = await _with_snapshot(frame, hub)
        # On a failure from here on the outlet never joined, and the hold on the channel is given back below.
        await hub.attach(channel, outlet, seq, Frame(text, seq))
    except BaseException:
        if outlet.channel is not channel:
            hub.leave(channel)
        raise


def check_owner(views: Views, state: Any, visitor: str) -> None:
    """Raises NotFound unless the conversation is this visitor's; an erased one is nobody's."""
    if not visitor or views.visitor_of(state) != visitor:
        raise NotFound("There is no such conversation.", code="no_such_conversation")


async def _with_gap(frame: dict[str, Any], hub: Hub, since: int) -> str | None:
    seq: int = frame["seq"]
    if not 0 <= seq - since <= GAP_EVENTS:
        return None
    if since < seq:
        recorded = await hub.events(frame["conversation"], after=since, limit=seq - since)
        items = [hub.item(event) for event in recorded if event.seq <= seq]
        if len(items) != seq - since:
            return None
        frame["events"] = join_skips(items)
    text = text_of(frame)
    return text if len(text) <= GAP_BYTES else None


async def _with_snapshot(frame: dict[str, Any], hub: Hub) -> str:
    seq: int = frame["seq"]
    visible: list[dict[str, Any]] = []
    upto = seq
    for _page in range(SNAPSHOT_PAGES):
        after = max(0, upto - GAP_EVENTS)
        if upto == 0:
            break
        recorded = await hub.events(frame["conversation"], after=after, limit=upto - after)
        items = [hub.item(event) for event in recorded if event.seq <= upto]
        visible = [item for item in items if item["type"] != "skip"] + visible
        if len(visible) >= GAP_EVENTS:
            break
        upto = after
    frame["mode"] = "snapshot"
    frame["events"] = _latest_within(visible[-GAP_EVENTS:], GAP_BYTES)
    return text_of(frame)


def _latest_within(items: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    size = 0
    for index in range(len(items) - 1, -1, -1):
        size += len(text_of(items[index])) + 1
        if size > limit:
            return items[max(index + 1, 0) :] or items[-1:]
    return items
