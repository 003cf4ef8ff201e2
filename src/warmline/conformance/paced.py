"""Cases: the vendor's own limits of calls, which are off in all other cases."""

from __future__ import annotations

import msgspec

from warmline.conformance.case import Topic, Tried, case, until
from warmline.conformance.stand import PAGE
from warmline.handover.port import Grade

_ASKED = "Where is my lamp?"


@case(Topic.TALKING, Grade.BRONZE, "At the vendor's own pace: the handover with its context and ten lines arrive")
async def vendors_pace(tried: Tried) -> None:
    tried.rig.keep_limits(True)
    try:
        conversation, talk = await tried.asks(_ASKED)
        await _context(tried, talk)
        await tried.joins(conversation, talk)
        lines = [f"line {number}" for number in range(10)]
        for line in lines:
            await tried.stand.say(conversation, line)
        await tried.heard(talk, *lines)
    finally:
        tried.rig.keep_limits(False)


async def _context(tried: Tried, talk: str) -> None:
    """What the agent is told beside the lines: where the visitor is, and the tags of the rung."""
    if not tried.can.context:
        return
    wanted = [_ASKED, PAGE["url"]]
    if tried.rig.payload:
        wanted += msgspec.json.decode(tried.rig.payload).get("tags", [])

    def missing() -> list[str]:
        told = "\n".join([tried.rig.context(talk), *tried.rig.heard(talk)])
        return [one for one in wanted if one not in told]

    try:
        await until(lambda: not missing(), "the agent has all of the context")
    except AssertionError:
        raise AssertionError(f"the agent was not told {missing()}") from None
