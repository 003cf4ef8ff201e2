"""Whether a line that may have been sent stands in the vendor's thread already."""

from __future__ import annotations

from collections.abc import Sequence

from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.handover.outbound import message_of, parts_of
from warmline.handover.port import Desk, OutboundMessage, ReadsBack, Thread, VisitorLine
from warmline.handover.surroundings import Surroundings
from warmline.handover.thread_store import ThreadRow

_CLOCKS_DIFFER_MS = 2_000
_READ = 200


async def stands_there(
    around: Surroundings, row: ThreadRow, desk: Desk, thread: Thread, parts: Sequence[OutboundMessage], brought: int
) -> bool:
    """Whether ``parts[brought]`` of a line is there; False as well at a desk that cannot be read back.

    A vendor that keeps our id tells it at once.  Elsewhere a line is known by its words, and the same words may have been
    said before: then the line is there when they stand there once more than he had said them.  Raises DeskError.
    """
    if not isinstance(desk, ReadsBack):
        return False
    part = parts[brought]

    async def read(since: int) -> tuple[set[str | None], int]:
        events = await desk.history(thread, since - _CLOCKS_DIFFER_MS)
        own = [line for line in events if isinstance(line, VisitorLine)]
        return {line.item_id for line in own}, sum(line.item_id is None and line.text == part.text for line in own)

    known, standing = await read(part.at)
    if part.id in known:
        return True
    if not standing:
        return False
    earlier = [one for one in await _said_before(around, row, desk, part.seq) if one.text == part.text]
    if earlier:
        # They were said early, but may have been brought as late as this one: all of them have to be counted.
        known, standing = await read(earlier[0].at)
    alike = [one for one in [*earlier, *parts[:brought]] if one.text == part.text and one.id not in known]
    return standing > len(alike)


async def _said_before(around: Surroundings, row: ThreadRow, desk: Desk, seq: int) -> list[OutboundMessage]:
    """What the visitor has said in this handover before ``seq``, as it was sent, without what its desk would not take."""
    said: list[OutboundMessage] = []
    parked: set[str] = set()
    after = 0
    while page := await around.journal.events(CONVERSATION, row.conversation_id, after=after, limit=_READ):
        for event in page:
            body = event.body
            if isinstance(body, e.HandoverRequested) and body.handover_id == row.handover_id:
                said.clear()
            elif isinstance(body, e.MessagePosted) and body.author == "visitor" and event.seq < seq:
                said.append(message_of(event, body, around.files))
            elif isinstance(body, e.DeliveryParked):
                parked.add(body.message_id)
            elif isinstance(body, e.DeliveryResent):
                parked.discard(body.message_id)
        after = page[-1].seq
    return [part for one in said if one.id not in parked for part in parts_of(desk.manifest, one)]
