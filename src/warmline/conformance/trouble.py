"""Cases: calls that go wrong, and Warmline being stopped in the middle."""

from __future__ import annotations

from warmline.conformance.case import NotApplicable, Topic, Tried, case, until
from warmline.conformance.rig import Step
from warmline.handover.port import Grade, Listens, Polls, ReadsBack, Repeats
from warmline.simulators.script import Kind

_LINES = ("first", "second", "third")
_BURST: tuple[str, ...] = ("Hello?", "yes", "the lamp", "yes", "yes", "it flickers")
"""The same words several times: who knows lines by their words only has to count them."""


async def _arrive_once(tried: Tried, kind: Kind, times: int) -> None:
    conversation, talk = await tried.talks()
    tried.trouble(Step.SEND, kind, times)
    for line in _LINES:
        await tried.stand.say(conversation, line)
    await tried.heard(talk, *_LINES)
    await tried.rig.says(talk, "All of it is here.")
    await tried.agents_said(conversation, "All of it is here.")
    assert list(tried.rig.heard(talk)) == list(_LINES), "a line came again later"


@case(Topic.TROUBLE, Grade.SILVER, "Lines that meet the rate limit (429) arrive in order, once")
async def send_429(tried: Tried) -> None:
    await _arrive_once(tried, Kind.TOO_MANY, 2)


@case(Topic.TROUBLE, Grade.SILVER, "Lines that meet an error of the vendor (500) arrive in order, once")
async def send_500(tried: Tried) -> None:
    await _arrive_once(tried, Kind.FAILING, 2)


@case(Topic.TROUBLE, Grade.SILVER, "A line that was taken but not answered arrives once")
async def send_lost(tried: Tried) -> None:
    await _arrive_once(tried, Kind.LOST, 1)


@case(Topic.TROUBLE, Grade.SILVER, "A line that met silence arrives once")
async def send_silent(tried: Tried) -> None:
    await _arrive_once(tried, Kind.SILENT, 1)


def _listened(tried: Tried) -> None:
    if not isinstance(tried.desk, Polls | Listens):
        raise NotApplicable("the vendor reports by webhook")


@case(Topic.TROUBLE, Grade.SILVER, "Polls or streams that fail, break off or stay silent lose and double nothing")
async def listening_fails(tried: Tried) -> None:
    _listened(tried)
    conversation, talk = await tried.talks()
    said: list[str] = []
    for kind in (Kind.FAILING, Kind.LOST, Kind.SILENT, Kind.TOO_MANY):
        tried.trouble(Step.LISTEN, kind)
        said.append(f"after {kind}")
        await tried.rig.says(talk, said[-1])
        await tried.agents_said(conversation, *said)


@case(Topic.RESTART, Grade.SILVER, "Stopped and started in the middle of a talk: nothing is lost, nothing comes twice")
async def restart_in_the_middle(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    for number in range(3):
        await tried.stand.say(conversation, f"before {number}")
    await tried.rig.says(talk, "before")
    await tried.stand.restart()
    await tried.rig.says(talk, "after")
    await tried.stand.say(conversation, "after")
    await tried.heard(talk, "before 0", "before 1", "before 2", "after")
    if tried.rig.webhooks is None:
        await tried.agents_said(conversation, "before", "after")
    else:
        # A report that nobody took comes again later, behind those that were taken.
        await tried.stand.until_said(conversation, "agent", lambda said: {"before", "after"} <= set(said))
        said = await tried.stand.lines(conversation, "agent")
        assert (said.count("before"), said.count("after")) == (1, 1), said


@case(
    Topic.RESTART,
    Grade.SILVER,
    "Killed in a burst of lines: each is there once (one twice, where the vendor can only double)",
)
async def killed_in_a_burst(tried: Tried) -> None:
    if tried.manifest.repeats is Repeats.READ_BACK:
        assert isinstance(tried.desk, ReadsBack), "the manifest says that it can be read back"
    conversation, talk = await tried.talks()
    async with tried.stand.crash():
        for line in _BURST:
            await tried.stand.say(conversation, line)
        await until(lambda: len(tried.rig.heard(talk)) >= len(_BURST) // 2, "half of the lines are there")
    possible = [_BURST]
    if tried.manifest.repeats is Repeats.DOUBLED:
        possible += [(*_BURST[:number], *_BURST[number - 1 :]) for number in range(1, len(_BURST) + 1)]
    await until(lambda: tuple(tried.rig.heard(talk)) in possible, "every line is there as often as it may be")
    await tried.rig.says(talk, "I read it all.")
    await tried.stand.until_said(conversation, "agent", lambda said: "I read it all." in said)
    await tried.stand.say(conversation, "Good.")
    await until(lambda: tried.rig.heard(talk)[-1:] == ["Good."], "what is said afterwards arrives")
    heard = tuple(tried.rig.heard(talk)[:-1])
    assert heard in possible, f"a line came again later: {heard}"


@case(Topic.RESTART, Grade.SILVER, "What the agent says while Warmline is away is heard when it is back")
async def said_while_away(tried: Tried) -> None:
    if not tried.rig.repeats_reports:
        raise NotApplicable("the vendor does not repeat what nobody took")
    conversation, talk = await tried.talks()
    await tried.stand.stop()
    try:
        await tried.rig.says(talk, "Are you still there?")
    finally:
        await tried.stand.start()
    await tried.agents_said(conversation, "Are you still there?")
    await tried.stand.say(conversation, "Yes.")
    await tried.heard(talk, "Yes.")


@case(Topic.RESTART, Grade.SILVER, "Stopped while the visitor waits: the person who then comes is seen")
async def restart_while_waiting(tried: Tried) -> None:
    known = len(tried.rig.talks())
    conversation, talk = await tried.asks()
    await tried.stand.restart()
    await tried.joins(conversation, talk)
    await tried.stand.say(conversation, "here I am")
    await tried.heard(talk, "here I am")
    assert len(tried.rig.talks()) == known + 1
