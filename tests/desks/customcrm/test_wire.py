"""What leaves for a custom CRM, byte by byte where it matters, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import standardwebhooks
from tests.desks.customcrm.support import (
    BOT,
    OLD_SECRET,
    SECRET,
    Crm,
    make_desk,
    make_request,
    outgoing_to,
    payload,
    running_crm,
)

import warmline.desks.customcrm
from warmline.desks.customcrm.payloads import INLINE_TRANSCRIPT_CHARACTERS
from warmline.handover.desk_kinds import Secret
from warmline.handover.port import (
    AuthorKind,
    BotLine,
    EndReason,
    File,
    FrontEnd,
    LineButton,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    TranscriptLine,
    Unreachable,
    Unsupported,
)
from warmline.kernel.clock import ManualClock, SystemClock
from warmline.platform.http import Outgoing

SCHEMA = json.loads((Path(warmline.desks.customcrm.__file__).parent / "warmline.schema.json").read_text())


async def _never_read() -> bytes:
    raise AssertionError("a custom CRM gets links")


LEAFLET = File(
    name="leaflet.pdf", media_type="application/pdf", size=1234, url="https://desk.example/f/1", read=_never_read
)


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with running_crm() as running:
        yield running


@pytest.fixture
async def outgoing(crm: Crm) -> AsyncIterator[Outgoing]:
    async with outgoing_to(crm.url) as client:
        yield client


async def test_an_escalation_is_the_published_body_and_nothing_else(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request(escalate_to="billing-tier2"))
    await desk.open(make_request(id="h-2.0"))
    assert [one.body for one in crm.got] == [payload("out/widget_escalate"), payload("out/widget_escalate_bare")]
    assert (thread.ref, thread.connection_id, thread.request_id) == ("c-8841", "con-1", "h-1.0")


async def test_the_connections_target_is_used_where_the_scenario_names_none(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url, escalate_to="front-desk")
    await desk.open(make_request())
    await desk.open(make_request(escalate_to="billing"))
    assert [one.body["data"]["escalateTo"] for one in crm.got] == ["front-desk", "billing"]


async def test_a_message_and_the_end_are_the_published_bodies(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request())
    await desk.send(thread, OutboundMessage(id="m-1", seq=9, text="It never arrived."))
    await desk.close(thread, EndReason.VISITOR_LEFT)
    assert [one.body for one in crm.got[1:]] == [payload("out/widget_message"), payload("out/widget_end_session")]
    assert {one.headers["content-type"] for one in crm.got} == {"application/json"}


async def test_without_the_rich_profile_attachments_become_links(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request())
    await desk.send(thread, OutboundMessage(id="m-1", seq=9, text="Look", attachments=(LEAFLET,)))
    await desk.send(thread, OutboundMessage(id="m-2", seq=10, text="", attachments=(LEAFLET,)))
    link = "leaflet.pdf: https://desk.example/f/1"
    assert [one.body["data"]["text"] for one in crm.got[1:]] == [f"Look\n{link}", link]
    assert all("warmline" not in one.body["data"] for one in crm.got)


async def test_the_rich_profile_adds_the_context_and_keeps_the_published_fields(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url, profile="rich")
    thread = await desk.open(make_request(escalate_to="billing-tier2"))
    await desk.send(thread, OutboundMessage(id="m-1", seq=9, text="Look", language="de", attachments=(LEAFLET,)))
    escalated, message = (one.body for one in crm.got)
    context = escalated["data"].pop("warmline")
    assert escalated == payload("out/widget_escalate")
    assert context["transcript"][0] == {
        "seq": 2,
        "at": "2023-11-14T22:13:20.123Z",
        "author": "bot",
        "name": "Robin",
        "text": "How can I help?",
    }
    assert context["visitor"] == {"id": "v-1", "name": "Ana", "email": "ana@example.com"}
    assert context["page"] == {"url": "https://shop.example/cart", "title": "Cart"}
    assert context["transcriptUrl"] == "https://desk.example/t/abc"
    assert context["replyTo"] == "reply+abc@desk.example"
    assert (context["reason"], context["language"]) == ("requested_by_visitor", "pt-BR")
    assert context["transcriptComplete"] is True
    added = message["data"]["warmline"]
    assert (added["messageId"], added["language"], message["data"]["text"]) == ("m-1", "de", "Look")
    assert added["attachments"] == [
        {"name": "leaflet.pdf", "mediaType": "application/pdf", "size": 1234, "url": "https://desk.example/f/1"}
    ]


@pytest.mark.parametrize(
    "request_changes", [{}, {"transcript": (), "transcript_url": None, "reply_to": None, "page": {}}]
)
async def test_everything_the_rich_profile_adds_fits_its_schema(
    crm: Crm, outgoing: Outgoing, request_changes: dict[str, Any]
) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
    desk = make_desk(outgoing, crm.url, profile="rich")
    thread = await desk.open(make_request(**request_changes))
    await desk.send(thread, OutboundMessage(id="m-1", seq=9, text="Look", attachments=(LEAFLET,)))
    button = LineButton("Track it", "https://shop.example/track")
    await desk.say(BotLine(id="m-2", bot_id=BOT, external_id="crm-77", text="Here", buttons=(button,)))
    for one in crm.got:
        validator.validate(one.body["data"]["warmline"])
    assert not validator.is_valid({"version": 1, "surprise": True})


async def test_a_long_transcript_keeps_its_latest_lines_and_says_so(crm: Crm, outgoing: Outgoing) -> None:
    text = "x" * (INLINE_TRANSCRIPT_CHARACTERS // 4)
    lines = tuple(TranscriptLine(number, number, AuthorKind.VISITOR, "", text) for number in range(1, 8))
    await make_desk(outgoing, crm.url, profile="rich").open(make_request(transcript=lines))
    context = crm.got[0].body["data"]["warmline"]
    assert [line["seq"] for line in context["transcript"]] == [4, 5, 6, 7]
    assert context["transcriptComplete"] is False


async def test_every_call_is_signed_so_that_a_foreign_verifier_agrees(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request())
    await desk.send(thread, OutboundMessage(id="m-1", seq=9, text="żółć"))
    await desk.close(thread, EndReason.CLOSED)
    assert len(crm.got) == 3
    for one in crm.got:
        assert standardwebhooks.Webhook(SECRET).verify(one.raw, one.headers) == one.body


async def test_during_a_rotation_both_secrets_sign_until_the_overlap_is_over(crm: Crm, outgoing: Outgoing) -> None:
    clock = ManualClock(SystemClock().now())
    ends = clock.now() + 60_000
    desk = make_desk(outgoing, crm.url, clock=clock, secrets=(Secret(SECRET), Secret(OLD_SECRET, until=ends)))
    await desk.open(make_request())
    clock.advance(60_000)
    await desk.open(make_request())
    during, after = crm.got
    assert standardwebhooks.Webhook(OLD_SECRET).verify(during.raw, during.headers)
    assert standardwebhooks.Webhook(SECRET).verify(during.raw, during.headers)
    assert standardwebhooks.Webhook(SECRET).verify(after.raw, after.headers)
    assert len(after.headers["webhook-signature"].split(" ")) == 1


async def test_the_id_of_an_item_is_the_same_on_every_try_and_its_own(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    crm.answers(503)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await desk.open(make_request())
    crm.answers(200)
    thread = await desk.open(make_request())
    # Another process, after a restart, gives the same ids.
    again = make_desk(outgoing, crm.url)
    for one in (desk, again):
        await one.send(thread, OutboundMessage(id="m-1", seq=9, text="Hi"))
        await one.close(thread, EndReason.VISITOR_LEFT)
    await again.open(make_request(id="h-1.1"))
    ids = [one.headers["webhook-id"] for one in crm.got]
    assert ids[0] == ids[1] == ids[2]
    assert ids[3:5] == ids[5:7]
    assert len(set(ids)) == 4


async def test_typing_costs_nothing_and_a_note_is_never_shown_to_the_visitor(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request())
    await desk.send(thread, OutboundTyping(on=True))
    with pytest.raises(Unsupported):
        await desk.send(thread, OutboundNote(id="n-1", seq=3, text="VIP"))
    assert len(crm.got) == 1


async def test_a_crm_with_its_own_front_end_is_asked_to_escalate_and_hears_nothing_twice(
    crm: Crm, outgoing: Outgoing
) -> None:
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request(external_id="crm-77", escalate_to="billing-tier2"))
    assert thread.ref == "crm-77"
    await desk.send(thread, OutboundMessage(id="m-1", seq=9, text="The CRM wrote this itself"))
    await desk.close(thread, EndReason.CLOSED)
    assert [one.body for one in crm.got] == [payload("out/escalate")]


async def test_a_bots_line_for_a_foreign_front_end(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    assert isinstance(desk, FrontEnd)
    reply = LineButton("The last one")
    line = BotLine(id="m-5", bot_id=BOT, external_id="crm-77", text="Which order?", buttons=(reply,), confidence=0.87)
    await desk.say(line)
    link = LineButton("Track it", "https://shop.example/track")
    await desk.say(BotLine(id="m-6", bot_id=BOT, external_id="crm-77", text="Here", buttons=(link,)))
    assert crm.got[0].body == payload("out/send_message")
    data = crm.got[1].body["data"]
    assert data["buttons"] == [{"text": "Track it", "type": "link"}]
    assert data["text"] == "Here\nTrack it: https://shop.example/track"


def test_every_payload_file_says_where_it_is_from() -> None:
    files = sorted((Path(__file__).parent / "payloads").rglob("*.json"))
    assert len(files) == 18
    for file in files:
        assert json.loads(file.read_text())["source"].startswith(("from docs", "captured")), file.name
