"""Cases: what vendors report by webhook, and the habits they have."""

from __future__ import annotations

from warmline.conformance.case import NotApplicable, Topic, Tried, case
from warmline.conformance.rig import Habits
from warmline.handover.port import Grade


def _reports(tried: Tried) -> Habits:
    if tried.rig.webhooks is None:
        raise NotApplicable("nothing is reported by webhook")
    return tried.rig.webhooks


@case(Topic.REPORTS, Grade.BRONZE, "Every report twice: each line is shown once")
async def reports_twice(tried: Tried) -> None:
    habits = _reports(tried)
    habits.set(duplicates=2)
    try:
        conversation, talk = await tried.talks()
        for text in ("one", "two"):
            await tried.rig.says(talk, text)
        await tried.agents_said(conversation, "one", "two")
        await tried.stand.say(conversation, "three")
        await tried.heard(talk, "three")
        await tried.agents_said(conversation, "one", "two")
    finally:
        habits.set(duplicates=0)


@case(Topic.REPORTS, Grade.SILVER, "Reports that overtake each other: nothing is lost, and the end stays the end")
async def reports_reordered(tried: Tried) -> None:
    habits = _reports(tried)
    conversation, talk = await tried.asks()
    habits.set(reorder=True)
    try:
        await tried.rig.joins(talk)
        await tried.rig.says(talk, "one")
        await tried.stand.until_said(conversation, "agent", lambda said: "one" in said)
        await tried.rig.says(talk, "two")
        await tried.rig.says(talk, "three")
        await tried.stand.until_said(conversation, "agent", lambda said: {"one", "two", "three"} <= set(said))
        said = await tried.stand.lines(conversation, "agent")
        assert sorted(said) == ["one", "three", "two"], said
    finally:
        habits.set(reorder=False)


@case(Topic.REPORTS, Grade.BRONZE, "Events that no documentation names pass by, and what follows is heard")
async def unknown_events(tried: Tried) -> None:
    habits = _reports(tried)
    habits.set(unknown_events=True)
    try:
        conversation, talk = await tried.talks()
        await tried.rig.says(talk, "still here")
        await tried.agents_said(conversation, "still here")
    finally:
        habits.set(unknown_events=False)


@case(Topic.REPORTS, Grade.BRONZE, "A report with a wrong signature is refused, and nothing of it is shown")
async def wrong_signature(tried: Tried) -> None:
    habits = _reports(tried)
    conversation, talk = await tried.talks()
    habits.set(wrong_signature=True)
    try:
        await tried.rig.says(talk, "forged")
        await tried.stand.say(conversation, "a question")
        await tried.heard(talk, "a question")
    finally:
        habits.set(wrong_signature=False)
    await tried.rig.says(talk, "genuine")
    await tried.stand.until_said(conversation, "agent", lambda said: "genuine" in said)
    # What was signed wrongly comes again, rightly signed, from vendors that repeat; never before.
    said = await tried.stand.lines(conversation, "agent")
    assert said.count("forged") <= 1, said


@case(Topic.REPORTS, Grade.SILVER, "While the secret is changed, reports with the old and the new one are heard")
async def rotated_secret(tried: Tried) -> None:
    _reports(tried)
    conversation, talk = await tried.talks()
    values = await tried.rig.rotate_secret()
    if values is None:
        raise NotApplicable("nothing is signed")
    await tried.update(**values)
    await tried.rig.says(talk, "with the new one")
    await tried.agents_said(conversation, "with the new one")


@case(Topic.REPORTS, Grade.SILVER, "Reports that come late, all at once, are heard in full")
async def reports_late(tried: Tried) -> None:
    habits = _reports(tried)
    conversation, talk = await tried.talks()
    habits.set(paused=True)
    try:
        for number in range(3):
            await tried.rig.says(talk, f"late {number}")
        await tried.stand.say(conversation, "are you there?")
        await tried.heard(talk, "are you there?")
    finally:
        habits.set(paused=False)
    await tried.agents_said(conversation, "late 0", "late 1", "late 2")
