"""Our own desk: who is there, and that nobody can report to it from outside."""

from __future__ import annotations

import pytest
from tests.support.desks import asking, linked_to, thread_of

from warmline.desks.builtin import builtin_kind
from warmline.handover.port import (
    Availability,
    Desk,
    EndReason,
    InboundDelivery,
    OutboundMessage,
    QueueRef,
    Receipt,
    Unsupported,
)

QUEUE = QueueRef(ref=None, bot_id="b")


def desk(online: int | None, *, only_when_staffed: bool = False) -> Desk:
    kind = builtin_kind({"k": online}.__getitem__)
    return kind.make(linked_to(kind, {"only_when_staffed": only_when_staffed}))


@pytest.mark.parametrize(
    ("online", "only_when_staffed", "expected"),
    [
        (2, False, Availability.AVAILABLE),
        (2, True, Availability.AVAILABLE),
        (0, True, Availability.AWAY),
        (0, False, Availability.UNKNOWN),
        (None, True, Availability.UNKNOWN),
    ],
)
async def test_an_empty_desk_is_skipped_only_where_the_connection_says_so(
    online: int | None, only_when_staffed: bool, expected: Availability
) -> None:
    assert await desk(online, only_when_staffed=only_when_staffed).availability(QUEUE) is expected


@pytest.mark.parametrize(("online", "words"), [(None, "ready."), (0, "nobody is signed in"), (3, "online: 3")])
async def test_its_test_says_how_many_are_there(online: int | None, words: str) -> None:
    health = await desk(online).check()
    assert (health.ok, words in health.sentence) == (True, True)


async def test_a_thread_is_the_conversation_itself_and_nothing_is_carried() -> None:
    one = desk(1)
    thread = await one.open(asking())
    assert (thread, await one.open(asking(repeated=True))) == (thread_of("c"), thread_of("c"))
    assert await one.send(thread, OutboundMessage(id="m", seq=1, text="hello")) == Receipt()
    await one.close(thread, EndReason.VISITOR_LEFT)


def test_nobody_reports_to_it_from_outside() -> None:
    with pytest.raises(Unsupported):
        desk(1).parse(InboundDelivery(headers={}, body=b"{}", query={}, received_at=0))
