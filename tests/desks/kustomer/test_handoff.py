"""What goes to Kustomer with a handoff, and what its desk makes of events that come late or cut."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from tests.support.desks import asking, linked_to, thread_of

from warmline.desks.kustomer import kustomer_kind
from warmline.desks.kustomer.desk import KustomerDesk
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AuthorKind,
    HandoverRequest,
    OutboundMessage,
    QueueMoved,
    Refused,
    TranscriptLine,
    Unknown,
    VisitorCard,
    VisitorLine,
)
from warmline.kernel.clock import ManualClock, Millis
from warmline.platform.http import Outgoing, Reply

FILES = Path(__file__).with_name("payloads")
NO_HEADERS = CIMultiDictProxy(CIMultiDict[str]())
BOT = "5f7d064afcc10579957f9200"
REF = "6717c2a4e5b1f00012ab3500"
NOW = 1_795_255_200_000
THREAD = thread_of(REF)


class Answering:
    """Stands for the outgoing client: answers by method and path, and keeps what was asked."""

    def __init__(self, answers: Mapping[str, tuple[int, Any]] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[tuple[str, str, Any]] = []

    async def request(self, method: str, url: str, *, body: bytes | None, **_more: Any) -> Reply:
        path = url.removeprefix("https://shop.api.kustomerapp.com").partition("?")[0]
        self.asked.append((method, path, json.loads(body) if body else None))
        for name, (status, answer) in self.answers.items():
            if name in f"{method} {path}":
                return Reply(status=status, headers=NO_HEADERS, body=json.dumps(answer).encode())
        return Reply(status=200, headers=NO_HEADERS, body=b'{"data": {"id": "%s"}}' % REF.encode())

    def told(self, ending: str) -> list[Any]:
        return [body for method, path, body in self.asked if path.endswith(ending) and method != "GET"]


def desk_of(answering: Answering, **tokens: str) -> KustomerDesk:
    settings = {"api_url": "https://shop.api.kustomerapp.com", "bot_user_id": BOT}
    given = {"api_key": "key", "webhook_token": "token", **tokens}
    kind = kustomer_kind(cast("Outgoing", answering), ManualClock(Millis(NOW)))
    made = kind.make(linked_to(kind, {**settings, **given}))
    assert isinstance(made, KustomerDesk)
    return made


def said(*lines: tuple[AuthorKind, str], cursor: int | None = None, at: int = NOW, **more: Any) -> HandoverRequest:
    transcript = tuple(
        TranscriptLine(seq=seq, at=at, author=author, name="Noor" if author is AuthorKind.AGENT else "", text=text)
        for seq, (author, text) in enumerate(lines, 1)
    )
    return asking(transcript=transcript, cursor=len(lines) if cursor is None else cursor, **more)


async def handed_off(request: HandoverRequest) -> list[dict[str, str]]:
    answering = Answering()
    await desk_of(answering).open(request)
    (body,) = answering.told("/chat/handoff")
    assert (body["from"], body["externalId"], body["active"]) == (BOT, "h.0", True)
    messages: list[dict[str, str]] = body["messages"]
    return messages


async def test_lines_up_to_the_cursor_go_along_in_their_order() -> None:
    lines = [
        (AuthorKind.BOT, "Hello!"),
        (AuthorKind.VISITOR, "Where is my lamp? 😀"),
        (AuthorKind.AGENT, "I ask a colleague."),
        (AuthorKind.SYSTEM, "One moment."),
        (AuthorKind.VISITOR, " "),
        (AuthorKind.VISITOR, "said while waiting"),
    ]
    messages = await handed_off(said(*lines, cursor=5))
    assert [(one["direction"], one["body"]) for one in messages] == [
        ("out", "Hello!"),
        ("in", "Where is my lamp? 😀"),
        ("out", "Noor: I ask a colleague."),
    ]
    dates = [one["date"] for one in messages]
    assert dates == sorted(set(dates)), "Kustomer sorts by date, so lines of one millisecond must not have the same"


async def test_each_side_says_something() -> None:
    for lines in ([], [(AuthorKind.VISITOR, "hi")], [(AuthorKind.BOT, "Hello!")]):
        messages = await handed_off(said(*lines))
        assert {one["direction"] for one in messages} == {"in", "out"}
        assert all(one["body"] for one in messages)


async def test_a_long_transcript_keeps_its_end() -> None:
    lines = [(AuthorKind.VISITOR, f"line {number}") for number in range(150)]
    messages = await handed_off(said(*lines))
    assert len(messages) == 100
    assert messages[-1]["body"] == "line 149"
    assert sum(one["direction"] == "out" for one in messages) == 1
    heavy = [(AuthorKind.VISITOR if number % 2 else AuthorKind.BOT, "ü" * 9_000) for number in range(20)]
    messages = await handed_off(said(*heavy))
    assert len(json.dumps(messages, ensure_ascii=False).encode()) < 100_000
    assert {one["direction"] for one in messages} == {"in", "out"}


async def test_a_handoff_that_was_made_is_not_made_again() -> None:
    sessions = [
        {"id": "other", "attributes": {"custom": {"x": "h.1"}}},
        {"id": REF, "attributes": {"custom": {"x": "h.0"}}},
    ]
    answering = Answering({"GET /v2.1/chat/sessions": (200, {"data": sessions})})
    thread = await desk_of(answering).open(said((AuthorKind.VISITOR, "hi"), repeated=True))
    assert thread.ref == REF
    assert not answering.told("/chat/handoff")


async def test_a_customer_is_made_once_however_it_goes() -> None:
    missing = (404, {"errors": [{"status": 404}]})
    answering = Answering({"GET /v1/customers/": missing})
    await desk_of(answering).open(said((AuthorKind.VISITOR, "hi")))
    (made,) = answering.told("/v1/customers")
    assert made == {"name": "Visitor", "externalId": "warmline-c"}


async def test_a_customer_whom_somebody_else_made_meanwhile_is_taken() -> None:
    answering = Answering({"GET /v1/customers/": (404, {}), "POST /v1/customers": (409, {})})
    desk = desk_of(answering)
    with pytest.raises(Refused):
        await desk.open(said((AuthorKind.VISITOR, "hi")))
    answering.answers = {"GET /v1/customers/email": (404, {}), "POST /v1/customers": (409, {})}
    thread = await desk.open(said((AuthorKind.VISITOR, "hi"), visitor=VisitorCard(email="vera@shop.example")))
    assert thread.ref == REF
    assert ("GET", "/v1/customers/email=vera%40shop.example", None) in answering.asked


async def test_an_older_change_of_the_assignment_changes_nothing_any_more() -> None:
    desk = desk_of(Answering())
    joined = AgentJoined(thread_ref=REF, vendor_event_id="2", occurred_at=NOW, raw=raw("conversation_assigned"))
    moved = QueueMoved(thread_ref=REF, vendor_event_id="1", occurred_at=NOW - 1, raw=raw("conversation_queued"))
    assert await desk.enrich(moved) == moved
    assert isinstance(await desk.enrich(joined), AgentJoined)
    assert isinstance(await desk.enrich(moved), Unknown)
    assert isinstance(await desk.enrich(joined), AgentJoined), "the same delivery again is not an older one"
    at_once = dataclasses.replace(moved, occurred_at=NOW)
    assert isinstance(await desk.enrich(at_once), Unknown), "of one moment, the joining is the later"
    line = AgentReplied(
        thread_ref=REF, vendor_event_id="0", occurred_at=NOW - 2, text="hi", raw=raw("message_by_agent")
    )
    assert isinstance(await desk.enrich(line), AgentReplied), "what somebody said is never dropped"
    again = dataclasses.replace(moved, vendor_event_id="3", occurred_at=NOW + 1)
    assert await desk.enrich(again) == again
    elsewhere = QueueMoved(thread_ref="another", occurred_at=NOW - 1)
    assert await desk.enrich(elsewhere) == elsewhere


async def test_an_agent_has_his_name_and_a_cut_line_its_end() -> None:
    noor = {"id": "n", "attributes": {"displayName": "Noor", "avatarUrl": "https://shop.example/noor.png"}}
    whole = {"id": "x", "attributes": {"direction": "out", "body": "Hello, I am Noor, and more."}}
    answering = Answering({"GET /v1/users/": (200, {"data": noor}), "/messages": (200, {"data": [whole]})})
    desk = desk_of(answering)
    given = json.loads(raw("message_by_agent_preview_only"))
    given["data"]["attributes"] |= {"preview": "Hello, I am", "size": 27}
    line = AgentReplied(thread_ref=REF, message_id="m", text="Hello, I am", raw=json.dumps(given).encode())
    event = await desk.enrich(line)
    assert isinstance(event, AgentReplied)
    assert (event.name, event.avatar) == ("Noor", "https://shop.example/noor.png")
    assert event.text == "Hello, I am Noor, and more."
    await desk.enrich(line)
    assert sum(path.startswith("/v1/users/") for _method, path, _body in answering.asked) == 1


async def test_an_agent_whose_name_cannot_be_read_has_joined_all_the_same() -> None:
    desk = desk_of(Answering({"GET /v1/users/": (500, {})}))
    event = await desk.enrich(AgentJoined(thread_ref=REF, raw=raw("conversation_assigned")))
    assert isinstance(event, AgentJoined)
    assert event.name == ""


async def test_lines_with_the_same_words_are_told_apart() -> None:
    listed = [
        {"id": "1", "attributes": {"direction": "in", "body": "ok", "sentAt": "2026-11-21T10:00:00.000Z"}},
        {"id": "2", "attributes": {"direction": "in", "body": "ok", "sentAt": "2026-11-21T10:00:01.000Z"}},
        {"id": "3", "attributes": {"direction": "out", "body": "ok", "sentAt": "2026-11-21T10:00:02.000Z"}},
        {"id": "0", "attributes": {"direction": "in", "body": "ok", "sentAt": "2026-11-21T09:00:00.000Z"}},
    ]
    answering = Answering(
        {
            "POST /v2.1/chat/messages": (200, {"data": {"id": "1"}}),
            "GET /v2.1/chat/sessions": (200, {"data": listed}),
            "GET /v1/conversations": (200, {"data": {"id": REF, "relationships": {"customer": {"data": {"id": "v"}}}}}),
        }
    )
    desk = desk_of(answering)
    await desk.send(THREAD, OutboundMessage(id="item-1", seq=1, text="ok"))
    assert answering.told("/chat/messages") == [{"customerId": "v", "session": REF, "body": "ok"}]
    lines = [line for line in await desk.history(THREAD, NOW) if isinstance(line, VisitorLine)]
    assert [(line.vendor_event_id, line.item_id) for line in lines] == [("1", "item-1"), ("2", None)]


async def test_a_connection_that_cannot_be_heard_is_not_healthy() -> None:
    answering = Answering({"queues": (200, {"data": []})})
    assert (await desk_of(answering).check()).ok
    unheard = await desk_of(answering, webhook_token="").check()
    assert not unheard.ok
    assert "webhook's token" in unheard.sentence
    missing = Answering({"queues": (200, {"data": []}), "users": (404, {})})
    health = await desk_of(missing).check()
    assert not health.ok
    assert "no user" in health.sentence


def raw(name: str) -> bytes:
    return (FILES / f"{name}.json").read_bytes()
