"""The desk's calls against the simulated Gorgias: files, read-back, and what a shop may have done to a ticket."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from tests.support.desks import a_file, asking, desk_alone

from warmline.conformance.rigs.gorgias import GorgiasRig
from warmline.desks.gorgias import GorgiasDesk, gorgias_kind
from warmline.desks.gorgias.settings import GorgiasPayload
from warmline.handover.desk_kinds import Linked, Secret
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AuthorKind,
    AuthRejected,
    Availability,
    EndReason,
    File,
    HandoverRequest,
    OutboundMessage,
    OutboundNote,
    OutboundTyping,
    QueueMoved,
    QueueRef,
    RateLimited,
    Receipt,
    Refused,
    Thread,
    ThreadEnded,
    ThreadTransferred,
    TranscriptLine,
    Unknown,
    Unreachable,
    VendorFile,
    VisitorCard,
    VisitorLine,
)
from warmline.kernel.clock import SystemClock
from warmline.platform.http import Outgoing
from warmline.simulators.samples import picture
from warmline.simulators.script import Kind

SECRETS = ("api_key", "webhook_secret")


@contextlib.asynccontextmanager
async def opposite(**readings: Any) -> AsyncIterator[tuple[GorgiasDesk, GorgiasRig]]:
    """A desk and the Gorgias that it calls."""
    async with GorgiasRig.running(**readings) as rig, desk_alone(gorgias_kind, rig.settings) as desk:
        yield cast(GorgiasDesk, desk), rig


def request(**more: Any) -> HandoverRequest:
    now = SystemClock().now()
    said = [
        TranscriptLine(1, now - 3_000, AuthorKind.VISITOR, "", "Where is my lamp?"),
        TranscriptLine(2, now - 2_000, AuthorKind.BOT, "Bot", "I will ask somebody."),
        TranscriptLine(3, now - 1_000, AuthorKind.AGENT, "Noor", "One moment."),
        TranscriptLine(4, now - 900, AuthorKind.SYSTEM, "", "Noor left."),
        TranscriptLine(9, now - 500, AuthorKind.VISITOR, "", "said after the wish"),
    ]
    fields: dict[str, Any] = {
        "id": "req-1",
        "conversation_id": "conv-1",
        "visitor": VisitorCard(id="v1", name="Vera", email="vera@example.com"),
        "transcript": tuple(said),
        "cursor": 4,
        "page": {"url": "https://shop.example/lamps"},
        **more,
    }
    return asking(**fields)


def message(**more: Any) -> OutboundMessage:
    return OutboundMessage(**{"id": "m-1", "seq": 10, "text": "Hello?", "at": SystemClock().now(), **more})


def file(body: bytes = picture()) -> File:
    return a_file(body=body)


async def test_a_ticket_holds_what_was_said_up_to_the_wish_and_nothing_is_mailed() -> None:
    async with opposite() as (desk, rig):
        payload = GorgiasPayload(
            crm_platform="gorgias", connection_id="x", subject="A lamp", tags=("vip", "handover"), assignee_team=22
        )
        thread = await desk.open(request(payload=payload))
        (ticket,) = rig.vendor.conversations
        assert (thread.ref, ticket.subject, ticket.assignee_team_id) == (str(ticket.id), "A lamp", 22)
        assert ticket.tags == ["handover", "vip"]
        note, *said = sorted(ticket.messages, key=lambda one: one.created_at)
        assert note.channel == "internal-note"
        assert "https://shop.example/lamps" in (note.body_text or "")
        assert [(one.from_agent, one.body_text) for one in said] == [
            (False, "Where is my lamp?"),
            (True, "I will ask somebody."),
            (True, "Noor: One moment."),
        ]
        await rig.vendor.webhooks.settled()
        assert rig.vendor.mailed == []


async def test_a_visitor_without_an_address_gets_one_that_leads_nowhere() -> None:
    async with opposite() as (desk, rig):
        for number in range(2):
            await desk.open(request(id=f"req-{number}", visitor=VisitorCard(id="v1"), transcript=()))
        (customer,) = rig.vendor.account.customers.values()
        assert customer.email == "warmline-v1@visitors.warmline.invalid"
        assert all(one.messages[-1].body_text == "…" for one in rig.vendor.conversations)


async def test_a_customer_whom_somebody_else_made_meanwhile_is_found() -> None:
    async with opposite() as (desk, rig):
        rig.vendor.trouble.next("customers.create", Kind.LOST)
        with pytest.raises(Unreachable):
            await desk.open(request())
        await desk.open(request(repeated=True))
        assert len(rig.vendor.account.customers) == 1
        assert len(rig.vendor.conversations) == 1


async def test_what_is_of_no_interest_passes_by() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        assert await desk.send(thread, OutboundTyping(on=True)) == Receipt()
        assert await desk.availability(QueueRef(ref=None, bot_id="b1")) is Availability.UNKNOWN
        event = QueueMoved(thread_ref=thread.ref)
        assert await desk.enrich(event) is event
        assert isinstance(await desk.enrich(ThreadEnded(thread_ref=thread.ref, occurred_at=5)), ThreadEnded)
        with pytest.raises(Refused):
            await desk.open(request(id="req-2", escalate_to="nobody"))
        assert rig.heard(thread.ref) == []


async def test_opened_again_after_a_lost_answer_there_is_one_ticket() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        again = await desk.open(request(repeated=True))
        assert (again.ref, again.state) == (thread.ref, thread.state)
        assert len(rig.vendor.conversations) == 1
        await desk.open(request(id="req-2", repeated=True))
        assert len(rig.vendor.conversations) == 2


async def test_the_visitors_files_are_uploaded_and_one_that_is_refused_goes_as_a_link() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        await desk.send(thread, message(attachments=(file(),)))
        (seen,) = rig.files(thread.ref)
        assert (seen.name, seen.body) == ("lamp.png", picture())
        await desk.send(thread, message(id="m-3", text="", attachments=(file(body=bytes(9_000_000)),)))
        assert rig.heard(thread.ref)[-1] == "lamp.png: https://chat.example/f/lamp.png"
        rig.vendor.trouble.next("files.upload", Kind.TOO_MANY)
        with pytest.raises(RateLimited):
            await desk.send(thread, message(id="m-2", attachments=(file(),)))
        assert len(rig.heard(thread.ref)) == 2


async def test_history_knows_our_lines_by_our_ids() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        line = message()
        await desk.send(thread, line)
        await rig.says(thread.ref, "Hi")
        await desk.send(thread, OutboundNote(id="n-1", seq=11, text="Rated 5"))
        found = await desk.history(thread, line.at - 100)
        assert [(one.item_id, one.text) for one in found if isinstance(one, VisitorLine)] == [("m-1", "Hello?")]
        assert "Rated 5" in [one.body_text for one in rig.vendor.conversations[0].messages]


async def test_a_thread_whose_state_is_lost_finds_its_customer() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        await desk.send(dataclasses.replace(thread, state=None), message())
        assert rig.heard(thread.ref) == ["Hello?"]


async def test_a_ticket_that_is_gone_is_named_and_closing_it_is_no_fault() -> None:
    async with opposite() as (desk, _rig):
        gone = Thread(
            ref="1", connection_id="c1", conversation_id="conv", request_id="r", bot_id="b1", state={"customer": 1}
        )
        with pytest.raises(Refused, match="merged"):
            await desk.send(gone, message())
        await desk.close(gone, EndReason.VISITOR_LEFT)


@pytest.mark.parametrize("links", ["open", "private"])
async def test_an_agents_file_is_told_of_and_fetched_with_our_key(links: Any) -> None:
    async with opposite(attachment_links=links) as (desk, rig):
        thread = await desk.open(request())
        sent = await rig.vendor.agent_says(int(thread.ref), "See", files=[("leaf.png", "image/png", picture())])
        told = AgentReplied(thread_ref=thread.ref, text="See", message_id=str(sent.id))
        event = await desk.enrich(told)
        assert isinstance(event, AgentReplied)
        (attached,) = event.files
        assert (attached.name, attached.media_type, attached.private) == ("leaf.png", "image/png", True)
        assert await desk.fetch_file(thread, attached, max_bytes=100_000) == picture()
        with pytest.raises(Refused):
            await desk.fetch_file(thread, attached, max_bytes=10)
        with pytest.raises(Refused, match="elsewhere"):
            await desk.fetch_file(thread, VendorFile(url="https://elsewhere.example/x"), max_bytes=10)


async def test_a_message_that_cannot_be_read_is_told_as_it_came() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        told = AgentReplied(thread_ref=thread.ref, text=" Hello ", message_id="77", name="Ines")
        rig.vendor.trouble.next("messages.get", Kind.TOO_MANY)
        event = await desk.enrich(told)
        assert isinstance(event, AgentReplied)
        assert (event.text, event.name) == ("Hello", "Ines")


async def test_a_message_that_is_not_in_the_ticket_is_not_shown() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        other = await desk.open(request(id="req-2", visitor=VisitorCard(id="v2")))
        said = await rig.vendor.agent_says(int(other.ref), "For somebody else")
        for number in (str(said.id), "77"):
            told = AgentReplied(thread_ref=thread.ref, text="Forged", message_id=number)
            assert isinstance(await desk.enrich(told), Unknown)


async def test_a_message_that_is_no_answer_after_all_is_not_shown() -> None:
    async with opposite() as (desk, rig):
        thread = await desk.open(request())
        note = await rig.vendor.agent_notes(int(thread.ref), "Between us")
        told = AgentReplied(thread_ref=thread.ref, text="Between us", message_id=str(note.id))
        assert isinstance(await desk.enrich(told), Unknown)


async def test_of_states_only_news_is_told_and_only_forwards() -> None:
    async with opposite() as (desk, _rig):

        async def told(event: AgentJoined | ThreadTransferred) -> type:
            return type(await desk.enrich(event))

        assert await told(ThreadTransferred(thread_ref="1", occurred_at=1)) is Unknown
        assert await told(AgentJoined(thread_ref="1", occurred_at=5, name="Ines")) is AgentJoined
        assert await told(AgentJoined(thread_ref="1", occurred_at=6, name="Ines")) is Unknown
        assert await told(AgentJoined(thread_ref="1", occurred_at=4, name="Otto")) is Unknown
        assert await told(ThreadTransferred(thread_ref="1", occurred_at=7)) is ThreadTransferred
        assert await told(AgentJoined(thread_ref="1", occurred_at=8, name="Ines")) is AgentJoined


async def test_a_wrong_key_a_wrong_team_and_a_short_secret_are_said() -> None:
    async with opposite() as (_desk, rig):
        outgoing = Outgoing(allow=["127.0.0.0/8"])
        values = {name: value for name, value in rig.settings.items() if name not in SECRETS}

        def linked(key: str, secret: str, **more: str) -> GorgiasDesk:
            secrets = {"api_key": [Secret(key)], "webhook_secret": [Secret(secret)]}
            one = Linked(connection_id="c1", name="Shop", bot_ids=(), settings={**values, **more}, secrets=secrets)
            return GorgiasDesk(one, outgoing, SystemClock())

        try:
            assert "credentials" in (await linked("wrong", "x").check()).sentence
            with pytest.raises(AuthRejected):
                await linked("wrong", "x").open(request())
            assert "team" in (await linked(rig.vendor.token, "x", team_id="99").check()).sentence
            assert "at least 16" in (await linked(rig.vendor.token, "x").check()).sentence
            desk = linked(rig.vendor.token, "x" * 16)
            assert "no HTTP integration" in (await desk.check()).sentence
            assert [one.name for one in await desk.queues()] == ["Support", "Billing", "Night shift"]
            await rig.subscribe("http://127.0.0.1:9/in/c1")
            assert (await desk.check()).ok
            rig.vendor.trouble.next("integrations.list", Kind.FAILING)
            health = await desk.check()
            assert health.ok
            assert "may not see" in health.sentence
        finally:
            await outgoing.stop()
