"""Dixa's desk against the simulator, without a Warmline around it: its test, availability, queues, who asks, what was said."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest
from tests.support.desks import a_file, asking, desk_alone

from warmline.conformance.rigs.dixa import DixaRig
from warmline.desks.dixa import DixaDesk, dixa_kind
from warmline.desks.dixa.client import DixaClient, Message, QueueAvailability
from warmline.desks.dixa.settings import PAYLOAD, DixaPayload
from warmline.handover.payloads import check_payload
from warmline.handover.port import (
    AuthorKind,
    Availability,
    EndReason,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    QueueRef,
    RateLimited,
    Receipt,
    Refused,
    TranscriptLine,
    VisitorCard,
    VisitorLine,
)
from warmline.kernel.errors import Invalid
from warmline.simulators.dixa import DixaSimulator
from warmline.simulators.script import Kind

NOWHERE = "00000000-0000-4000-8000-000000000000"
SAID = (
    TranscriptLine(seq=1, at=1_795_255_200_000, author=AuthorKind.BOT, name="Lumi", text="Hello!"),
    TranscriptLine(seq=2, at=1_795_255_201_000, author=AuthorKind.VISITOR, name="", text="Where is my lamp?"),
    TranscriptLine(seq=3, at=1_795_255_202_000, author=AuthorKind.VISITOR, name="", text="said later"),
)


@dataclass
class Here:
    """A desk, and the Dixa it calls."""

    desk: DixaDesk
    dixa: DixaSimulator

    @property
    def theirs(self) -> Any:
        """The newest conversation at Dixa."""
        return self.dixa.conversations[-1]


@contextlib.asynccontextmanager
async def meeting(**settings: Any) -> AsyncIterator[Here]:
    """``settings`` change the form; None leaves a value out."""
    async with DixaRig.running() as rig:
        values = {name: value for name, value in {**rig.settings, **settings}.items() if value is not None}
        async with desk_alone(dixa_kind, values) as desk:
            yield Here(cast(DixaDesk, desk), rig.vendor)


async def test_its_test_says_what_is_missing() -> None:
    async with meeting() as here:
        assert (await here.desk.check()).ok
        here.dixa.trouble.next("queues.list", Kind.FAILING)
        assert "trouble" in (await here.desk.check()).sentence
    async with meeting(webhook_secret=None) as here:
        health = await here.desk.check()
        assert (health.ok, "no agent would be heard" in health.sentence) == (False, True)
    async with meeting(queue_id=NOWHERE) as here:
        health = await here.desk.check()
        assert (health.ok, "is not among its queues" in health.sentence) == (False, True)
    async with meeting(api_token=None) as here:
        assert not (await here.desk.check()).ok


async def test_queues_are_named_for_an_administrator() -> None:
    async with meeting() as here:
        found = await here.desk.queues()
        assert [(one.ref, one.name, one.bot_id) for one in found] == [
            (queue.id, queue.name, "b") for queue in here.dixa.queues
        ]


async def test_availability_is_asked_of_the_queue_and_trouble_is_unknown() -> None:
    async with meeting() as here:
        support, _billing, night = here.dixa.queues
        ask = here.desk.availability
        assert await ask(QueueRef(ref=support.id, bot_id="b")) is Availability.AVAILABLE
        assert await ask(QueueRef(ref=night.id, bot_id="b")) is Availability.AWAY
        assert await ask(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN, "nobody says which queue"
        assert await ask(QueueRef(ref=NOWHERE, bot_id="b")) is Availability.UNKNOWN
        night_shift = night.id
    async with meeting(queue_id=night_shift) as here:
        assert await here.desk.availability(QueueRef(ref=None, bot_id="b")) is Availability.AWAY


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], Availability.UNKNOWN),
        ([{"channelAvailability": {"genericChannelName": "email", "availability": "Available"}}], Availability.UNKNOWN),
        ([{"agentCount": 3}], Availability.UNKNOWN),
        (
            [
                {"channelAvailability": {"genericChannelName": "email", "availability": "NotAvailable"}},
                {"channelAvailability": {"genericChannelName": "genericapimessaging", "availability": "Available"}},
            ],
            Availability.AVAILABLE,
        ),
        (
            [{"channelAvailability": {"genericChannelName": "genericapimessaging", "availability": "Perhaps"}}],
            Availability.UNKNOWN,
        ),
    ],
    ids=["nothing", "another channel", "no channel", "ours among others", "a word that is not documented"],
)
async def test_availability_counts_for_our_channel_only(
    answer: list[Any], expected: Availability, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told(_client: DixaClient, _queue: str) -> list[QueueAvailability]:
        return msgspec.convert(answer, list[QueueAvailability])

    monkeypatch.setattr(DixaClient, "availability", told)
    async with meeting() as here:
        assert await here.desk.availability(QueueRef(ref=here.dixa.queues[0].id, bot_id="b")) is expected


async def test_what_was_said_is_imported_and_later_lines_follow_with_their_ids_and_files() -> None:
    async with meeting() as here:
        card = VisitorCard(id="v", name="Kim", email="kim@example.com", phone="+4512345678")
        thread = await here.desk.open(asking(transcript=SAID, cursor=2, visitor=card, escalate_to=None))
        (theirs,) = here.dixa.conversations
        assert thread.ref == str(theirs.id)
        assert [(one.direction, one.text, one.external_id) for one in theirs.messages] == [
            ("Outbound", "Hello!", "h.0:1"),
            ("Inbound", "Where is my lamp?", "h.0:2"),
        ]
        (user,) = here.dixa.account.end_users.values()
        assert (user.name, user.email, user.phone, user.external_id) == (
            "Kim",
            "kim@example.com",
            "+4512345678",
            "warmline-v",
        )
        line = OutboundMessage(id="m-3", seq=3, text="said later", attachments=(a_file(),))
        assert (await here.desk.send(thread, line)).vendor_id == theirs.messages[-1].id
        assert (theirs.messages[-1].text, theirs.messages[-1].external_id) == ("said later", "m-3")
        assert [(file.url, file.name) for file in theirs.messages[-1].attachments] == [
            ("https://chat.example/f/lamp.png", "lamp.png")
        ]
        await here.desk.send(thread, OutboundNote(id="n", seq=4, text="He is in a hurry."))
        assert theirs.notes[-1].message == "He is in a hurry."
        assert await here.desk.send(thread, OutboundTyping(on=True)) == Receipt()


async def test_without_an_agent_for_the_bot_its_lines_stand_in_a_note() -> None:
    async with meeting(bot_agent_id=None) as here:
        await here.desk.open(asking(transcript=SAID, cursor=2, page={"url": "https://shop.example/lamps"}))
        assert [one.text for one in here.theirs.messages] == ["Where is my lamp?"]
        (note,) = here.theirs.notes
        assert note.message.splitlines() == [
            "Reason: requested_by_visitor",
            "Page: https://shop.example/lamps",
            "Language: en",
            "",
            "Lumi: Hello!",
            "visitor: Where is my lamp?",
        ]


async def test_a_visitor_who_said_nothing_is_imported_all_the_same_and_found_again_by_our_id() -> None:
    async with meeting() as here:
        await here.desk.open(asking())
        assert [one.text for one in here.theirs.messages] == ["…"]
        await here.desk.open(asking(id="h2.0", handover_id="h2"))
        assert len(here.dixa.conversations) == 2
        (user,) = here.dixa.account.end_users.values()
        assert (user.name, user.external_id) == ("Visitor", "warmline-c"), (
            "who is not known is one person per conversation"
        )


async def test_a_repeated_try_finds_what_the_first_has_made_unless_that_is_over() -> None:
    async with meeting() as here:
        first = await here.desk.open(asking(transcript=SAID, cursor=2))
        again = await here.desk.open(asking(transcript=SAID, cursor=2, repeated=True))
        assert again.ref == first.ref
        assert len(here.theirs.notes) == 1, "what an agent should know is not told twice"
        await here.desk.close(first, EndReason.VISITOR_LEFT)
        third = await here.desk.open(asking(transcript=SAID, cursor=2, repeated=True))
        assert third.ref != first.ref
        other = await here.desk.open(asking(id="other.0", transcript=SAID, cursor=2, repeated=True))
        assert other.ref not in {first.ref, third.ref}


async def test_the_rungs_queue_counts_before_the_scripts_and_that_before_the_connections() -> None:
    async with meeting() as here:
        support, billing, night = (queue.id for queue in here.dixa.queues)
        payload = DixaPayload(
            crm_platform="dixa",
            connection_id="k",
            widget_id="w",
            queue_id=billing,
            tags=("vip",),
            email="x@example.com",
        )
        await here.desk.open(asking(payload=payload, escalate_to=support))
        assert here.theirs.queue_id == billing
        await here.dixa.changes.until(lambda: here.theirs.tags)
        assert here.theirs.tags == {"vip"}
        assert here.dixa.account.end_users[here.theirs.requester_id].email == "x@example.com"
        await here.desk.open(asking(id="h2.0", escalate_to=night))
        assert here.theirs.queue_id == night


async def test_a_queue_that_does_not_exist_leaves_nothing_open_behind() -> None:
    async with meeting() as here:
        with pytest.raises(Refused):
            await here.desk.open(asking(escalate_to=NOWHERE))
        assert here.theirs.state == "Closed"


async def test_a_handover_stands_without_the_tags_and_the_note_that_dixa_did_not_take() -> None:
    async with meeting() as here:
        here.dixa.trouble.next("notes.add", Kind.FAILING)
        thread = await here.desk.open(asking(transcript=SAID, cursor=2))
        assert thread.ref == str(here.theirs.id)
        assert here.theirs.notes == []


async def test_what_was_sent_is_read_back_from_a_moment_on() -> None:
    async with meeting() as here:
        thread = await here.desk.open(asking(transcript=SAID, cursor=2))
        await here.desk.send(thread, OutboundMessage(id="m-3", seq=3, text="said later"))
        await here.dixa.agent_says(here.theirs.id, "an agent's line")
        found = cast(list[VisitorLine], list(await here.desk.history(thread, 0)))
        assert [(one.text, one.item_id) for one in found] == [("Where is my lamp?", "h.0:2"), ("said later", "m-3")]
        since = here.theirs.messages[2].created_at
        recent = cast(list[VisitorLine], list(await here.desk.history(thread, since)))
        assert [one.item_id for one in recent] == ["m-3"]


async def test_a_line_without_a_moment_may_be_the_one_that_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def told(_client: DixaClient, _conversation: str, *, operation: str) -> list[Message]:
        del operation
        attributes = {"direction": "Inbound", "content": {"value": "hello?"}}
        return msgspec.convert([{"id": "m", "createdAt": "soon", "attributes": attributes}], list[Message])

    monkeypatch.setattr(DixaClient, "messages", told)
    async with meeting() as here:
        (line,) = await here.desk.history(await here.desk.open(asking()), 1_795_255_200_000)
        assert isinstance(line, VisitorLine)
        assert line.text == "hello?"


async def test_closing_what_is_gone_is_as_good() -> None:
    async with meeting() as here:
        thread = await here.desk.open(asking())
        await here.desk.close(dataclasses.replace(thread, ref="1"), EndReason.VISITOR_LEFT)
        await here.desk.close(thread, EndReason.VISITOR_LEFT)
        assert here.theirs.state == "Closed"


@pytest.mark.parametrize("field", ["connectionId", "widgetId", "queueId"])
def test_ids_of_a_payload_are_ids(field: str) -> None:
    check_payload(PAYLOAD, PAYLOAD.example)
    body = msgspec.json.decode(PAYLOAD.example)
    from_details = msgspec.json.encode({**body, field: "{{details.queue}}"}).decode()
    if field == "queueId":
        check_payload(PAYLOAD, from_details)
    else:
        # Mandatory: a visitor of whom it is not known would never be handed over.
        with pytest.raises(Invalid, match="nothing is known"):
            check_payload(PAYLOAD, from_details)
    with pytest.raises(Invalid) as caught:
        check_payload(PAYLOAD, msgspec.json.encode({**body, field: "support"}).decode())
    assert caught.value.fields["path"] == f"$.{field}"


def tagging() -> Any:
    """Somebody asks for a person, by a rung with tags."""
    payload = DixaPayload(crm_platform="dixa", connection_id=NOWHERE, widget_id=NOWHERE, tags=("some", "tag"))
    return asking(payload=payload)


@pytest.mark.parametrize(("operation", "lost"), [("conversations.tag_bulk", "tags"), ("notes.add", "note")])
async def test_tags_that_are_refused_do_not_cost_the_note_nor_the_note_the_tags(operation: str, lost: str) -> None:
    async with meeting() as here:
        here.dixa.trouble.next(operation, Kind.FAILING)
        await here.desk.open(tagging())
        assert here.theirs.tags == (set() if lost == "tags" else {"some", "tag"})
        assert len(here.theirs.notes) == (0 if lost == "note" else 1)


async def test_a_note_that_came_too_fast_is_told_again() -> None:
    async with meeting() as here:
        here.dixa.trouble.next("notes.add", Kind.TOO_MANY)
        await here.desk.open(tagging())
        assert [note.message for note in here.theirs.notes] == ["Reason: requested_by_visitor\nLanguage: en"]


async def test_an_opening_that_broke_off_is_finished_with_its_note_and_told_once() -> None:
    async with meeting() as here:
        here.dixa.trouble.next("conversations.transfer", Kind.TOO_MANY)
        asked = dataclasses.replace(tagging(), escalate_to=here.dixa.queues[0].id, transcript=SAID, cursor=2)
        with pytest.raises(RateLimited):
            await here.desk.open(asked)
        assert (len(here.dixa.conversations), here.theirs.notes) == (1, [])
        for _ in range(2):
            await here.desk.open(dataclasses.replace(asked, repeated=True))
        assert (len(here.dixa.conversations), len(here.theirs.notes)) == (1, 1)


async def test_calls_that_come_all_at_once_stay_below_the_documented_rate() -> None:
    async with meeting() as here:
        here.dixa.keep_limits(True)
        await asyncio.gather(*(here.desk.queues() for _ in range(10)))
        assert [call.status for call in here.dixa.calls] == [200] * 10
