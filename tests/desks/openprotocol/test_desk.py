"""What a helpdesk and a bot are sent, over real HTTP; the files hold what is expected, an id with ``*`` is a fresh one."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.desks.customcrm.support import OLD_SECRET, SECRET, Crm, outgoing_to, running_crm

from warmline.desks.openprotocol.desk import OpenDesk, open_kind
from warmline.desks.openprotocol.settings import SENDER_SECRET
from warmline.desks.shared.signed_posts import SIGNING_SECRET
from warmline.handover.desk_kinds import Linked, Secret
from warmline.handover.port import (
    AuthorKind,
    Availability,
    EndReason,
    File,
    HandoffLine,
    HandoffStatus,
    HandoverRequest,
    InboundDelivery,
    Manifest,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    QueueRef,
    Refused,
    SignatureRejected,
    Thread,
    TranscriptLine,
    Unreachable,
    VisitorCard,
)
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Invalid
from warmline.platform.signing import sign, verify

FILES = Path(__file__).with_name("payloads")
CONVERSATION = "01a1ff3d-1cae-7038-b83f-91bbdb2baee0"
HANDOVER = "01a1ff3d-1cae-7038-b83f-91bbdb2baee1"
AT = 1_795_033_600_000
"""2026-11-18T20:26:40Z."""

REQUEST = HandoverRequest(
    id=f"{HANDOVER}.0",
    conversation_id=CONVERSATION,
    handover_id=HANDOVER,
    rung=0,
    owner_epoch=2,
    bot_id="64f0c1d2e3a4b5c6d7e8f901",
    reason=EndReason.REQUESTED_BY_VISITOR,
    visitor=VisitorCard(id="01a1ff3d-1cae-7038-b83f-91bbdb2baee2", name="Ana", email="ana@example.net"),
    page={"url": "https://shop.example/lamp", "title": "Oak lamp", "referrer": ""},
    transcript=(
        TranscriptLine(2, AT, AuthorKind.BOT, "Robin", "How can I help?"),
        TranscriptLine(3, AT + 5_000, AuthorKind.VISITOR, "", "Where is my lamp?"),
    ),
    transcript_url="https://chat.example/t/signed",
    payload={"queue": "returns", "priority": 2},
)


async def _never_read() -> bytes:
    raise AssertionError("files go by their address")


def file(name: str, media_type: str, size: int) -> File:
    return File(name=name, media_type=media_type, size=size, url="https://chat.example/f/signed", read=_never_read)


@dataclass
class Here:
    """A desk and the server behind it."""

    desk: OpenDesk
    there: Crm
    clock: ManualClock

    def sent(self, name: str) -> None:
        """The newest event is the one of the file, signed under its own id."""
        got = self.there.got[-1]
        body = json.loads(got.raw)
        expected = json.loads((FILES / f"{name}.json").read_text())
        del expected["_marks"]
        assert fnmatch.fnmatchcase(body["id"], expected.pop("id")), body["id"]
        assert verify([SECRET], got.headers, got.raw, now=self.clock.now()) == body.pop("id")
        assert body == expected


@contextlib.asynccontextmanager
async def here(*, sender: tuple[Secret, ...] | None = None, **settings: Any) -> AsyncIterator[Here]:
    clock = ManualClock(AT)
    async with running_crm() as there, outgoing_to(there.url) as outgoing:
        linked = Linked(
            connection_id="con-1",
            name="Open",
            bot_ids=(),
            settings={"url": there.url, **settings},
            secrets={
                SIGNING_SECRET: (Secret(SECRET),),
                SENDER_SECRET: (Secret(SECRET), Secret(OLD_SECRET, AT + 1_000)) if sender is None else sender,
            },
        )
        desk = open_kind(outgoing, clock).make(linked)
        assert isinstance(desk, OpenDesk)
        yield Here(desk, there, clock)


async def test_every_event_of_an_attempt() -> None:
    async with here() as at:
        thread = await at.desk.open(REQUEST)
        at.sent("event.handover.offered")
        assert (thread.ref, thread.state) == (REQUEST.id, 2)
        line = OutboundMessage(
            id="m-1", seq=7, text="Like this one.", at=AT + 10_000, attachments=(file("leaf.png", "image/png", 1204),)
        )
        await at.desk.send(thread, line)
        at.sent("event.message.posted")
        await at.desk.send(thread, OutboundNote(id="n-1", seq=8, text="He is a member."))
        at.sent("event.note.posted")
        await at.desk.send(thread, OutboundTyping(on=True))
        at.sent("event.typing")
        await at.desk.close(thread, EndReason.VISITOR_LEFT)
        at.sent("event.handover.released")


async def test_what_is_repeated_has_the_same_id() -> None:
    async with here() as at:
        thread = await at.desk.open(REQUEST)
        await at.desk.open(REQUEST)
        line = OutboundMessage(id="m-1", seq=7, text="x", at=AT)
        await at.desk.send(thread, line)
        await at.desk.send(thread, line)
        ids = [one.headers["webhook-id"] for one in at.there.got]
        assert ids[0] == ids[1] != ids[2] == ids[3]


async def test_an_offer_nobody_answered_is_released_by_its_attempt() -> None:
    async with here() as at:
        before = Thread(
            ref=CONVERSATION, connection_id="con-1", conversation_id=CONVERSATION, request_id=REQUEST.id, bot_id="b"
        )
        await at.desk.close(before, EndReason.VISITOR_LEFT)
        body = json.loads(at.there.got[-1].raw)
        assert (body["attempt_id"], body["owner_epoch"]) == (REQUEST.id, None)


async def test_a_long_transcript_goes_along_as_far_as_it_is_worth_reading() -> None:
    async with here() as at:
        lines = tuple(TranscriptLine(seq, AT, AuthorKind.BOT, "", "x" * 9_000) for seq in range(1, 21))
        await at.desk.open(HandoverRequest(**{**_fields(REQUEST), "transcript": lines}))
        body = json.loads(at.there.got[-1].raw)
        assert [one["seq"] for one in body["transcript"]] == list(range(10, 21))
        assert body["transcript_complete"] is False


def _fields(request: HandoverRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in HandoverRequest.__dataclass_fields__}


async def test_the_check_says_what_is_missing() -> None:
    async with here() as at:
        assert (await at.desk.check()).ok
        at.sent("event.ping")
        at.there.answers(401)
        health = await at.desk.check()
        assert (health.ok, "401" in health.sentence) == (False, True)
        at.there.answers(429)
        assert (await at.desk.check()).ok
        at.there.answers(500)
        assert not (await at.desk.check()).ok


async def test_the_check_says_when_no_report_could_be_heard() -> None:
    async with here(sender=()) as at:
        health = await at.desk.check()
        assert (health.ok, "secret is missing" in health.sentence) == (False, True)
    async with here(sender=(), ladder_of_widget="w-1") as at:
        assert (await at.desk.check()).ok
    async with here(sender=(Secret("hunter2"),)) as at:
        health = await at.desk.check()
        assert (health.ok, "whsec_" in health.sentence, "hunter2" in health.sentence) == (False, True, False)
        headers = sign([SECRET], "r-1", at.clock.now(), b"{}")
        with pytest.raises(SignatureRejected):
            at.desk.parse(InboundDelivery(headers=headers, body=b"{}", query={}, received_at=at.clock.now()))


async def test_availability_that_is_not_answered_is_unknown() -> None:
    async with here(ask_availability=True) as at:
        at.there.answers(503)
        assert await at.desk.availability(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"available": True}, Availability.AVAILABLE),
        ({"available": False}, Availability.AWAY),
        ({"available": "yes"}, Availability.UNKNOWN),
        ({}, Availability.UNKNOWN),
        ([], Availability.UNKNOWN),
    ],
)
async def test_availability_is_asked_once_in_a_while(answer: Any, found: Availability) -> None:
    async with here(ask_availability=True) as at:
        at.there.answers(200, answer)
        queue = QueueRef(ref="returns", bot_id="b", conversation_id=CONVERSATION)
        assert [await at.desk.availability(queue) for _ in range(2)] == [found, found]
        at.sent("event.availability.asked")
        assert len(at.there.got) == 1
        at.clock.advance(10_000)
        await at.desk.availability(queue)
        assert len(at.there.got) == 2


async def test_availability_is_nobodys_business_unless_it_is_asked_for() -> None:
    async with here() as at:
        assert await at.desk.availability(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN
        assert at.there.got == []


async def test_a_refused_offer_is_refused_and_trouble_is_tried_again() -> None:
    async with here() as at:
        at.there.answers(409)
        with pytest.raises(Refused):
            await at.desk.open(REQUEST)
        at.there.answers(503)
        with pytest.raises(Unreachable):
            await at.desk.open(REQUEST)


async def test_a_bot_is_told_in_activities() -> None:
    async with here() as at:
        status = HandoffStatus(id="c-1-9", external_id="19:meeting", at=AT, state="failed", message="no_agent")
        await at.desk.tell(status)
        at.sent("to-bot.handoff.status")
        line = HandoffLine(
            id="m-2",
            external_id="19:meeting",
            at=AT,
            name="Noor Haddad",
            text="I block it.",
            attachments=(file("form.pdf", "application/pdf", 9),),
        )
        await at.desk.tell(line)
        at.sent("to-bot.message")


async def test_reports_count_with_the_new_secret_and_for_a_while_with_the_old_one() -> None:
    async with here() as at:
        body = (FILES / "report.accept.json").read_bytes()

        def delivered(secret: str) -> InboundDelivery:
            headers = sign([secret], "r-1", at.clock.now(), body)
            return InboundDelivery(headers=headers, body=body, query={}, received_at=at.clock.now())

        assert len(at.desk.parse(delivered(SECRET))) == 1
        assert len(at.desk.parse(delivered(OLD_SECRET))) == 1
        at.clock.advance(1_000)
        with pytest.raises(SignatureRejected):
            at.desk.parse(delivered(OLD_SECRET))
        late = delivered(SECRET)
        at.clock.advance(301_000)
        with pytest.raises(SignatureRejected):
            at.desk.parse(InboundDelivery(headers=late.headers, body=body, query={}, received_at=at.clock.now()))


async def test_an_address_that_may_not_be_called_is_refused_when_it_is_entered() -> None:
    async with running_crm() as there, outgoing_to(there.url) as outgoing:
        kind = open_kind(outgoing, ManualClock())
        assert isinstance(kind.manifest, Manifest)
        kind.check_settings({"url": there.url})
        with pytest.raises(Invalid) as refused:
            kind.check_settings({"url": "http://169.254.169.254/latest"})
        assert refused.value.fields["path"] == "$.settings.url"
