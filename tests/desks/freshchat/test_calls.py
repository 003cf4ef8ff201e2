"""What goes to Freshchat, and what its desk makes of answers that the documentation leaves open."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from tests.support.desks import asking, linked_to, thread_of

from warmline.desks.freshchat import freshchat_kind
from warmline.desks.freshchat.desk import FreshchatDesk
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    AuthorKind,
    Availability,
    EndReason,
    File,
    HandoverRequest,
    OutboundMessage,
    OutboundTyping,
    QueueRef,
    Refused,
    Thread,
    ThreadEnded,
    TranscriptLine,
    Unknown,
    Unreachable,
    VisitorCard,
    VisitorLine,
)
from warmline.kernel.clock import ManualClock
from warmline.platform.http import Outgoing, Reply

FILES = Path(__file__).with_name("payloads")
NO_HEADERS = CIMultiDictProxy(CIMultiDict[str]())
NOW = 1_795_255_200_000
REF = "8f1b2c3d-0000-4000-8000-000000004711"
TOPICS = {"channels": [{"id": "t-0", "name": "Old", "enabled": False}, {"id": "t-1", "name": "Lamps"}]}
Answer = tuple[int, Any]


class Answering:
    """Stands for the outgoing client: answers by method and path, each answer of a list once, and keeps what was asked."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        self.answers: dict[str, list[Answer]] = {
            name.replace("__", " /").replace("_", "/"): [given] if isinstance(given, tuple) else list(given)
            for name, given in answers.items()
        }
        self.asked: list[tuple[str, Any]] = []

    async def request(
        self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str], **_: Any
    ) -> Reply:
        path = url.removeprefix("https://shop.freshchat.com/v2").partition("?")[0]
        is_json = headers.get("Content-Type") == "application/json"
        self.asked.append((f"{method} {path}", json.loads(body or b"null") if is_json else body))
        for name in sorted(self.answers, key=len, reverse=True):
            if f"{method} {path}".startswith(name):
                left = self.answers[name]
                status, answer = left.pop(0) if len(left) > 1 else left[0]
                return Reply(status=status, headers=NO_HEADERS, body=json.dumps(answer).encode())
        return Reply(
            status=404, headers=NO_HEADERS, body=b'{"code": 404, "status": "NOT_FOUND", "message": "Not found"}'
        )

    def told(self, name: str) -> list[Any]:
        return [body for asked, body in self.asked if asked == name]


def desk_with(answering: Answering, **settings: Any) -> FreshchatDesk:
    kind = freshchat_kind(cast("Outgoing", answering), ManualClock(NOW))
    values = {"api_url": "https://shop.freshchat.com/", "api_token": "t", "public_key": "no key", **settings}
    return cast("FreshchatDesk", kind.make(linked_to(kind, values)))


def request(**more: Any) -> HandoverRequest:
    lines = (
        TranscriptLine(seq=1, at=NOW, author=AuthorKind.BOT, name="Bot", text="Hello!"),
        TranscriptLine(seq=2, at=NOW, author=AuthorKind.VISITOR, name="", text="Where is my lamp?"),
        TranscriptLine(seq=3, at=NOW, author=AuthorKind.VISITOR, name="", text="said later"),
    )
    given: dict[str, Any] = {
        "transcript": lines,
        "cursor": 2,
        **more,
    }
    return asking(**given)


def thread(**state: Any) -> Thread:
    return thread_of(REF, {"user": "u-1", **state})


def line(text: str, at: str = "2026-11-21T10:00:00.000Z", **more: Any) -> dict[str, Any]:
    return {
        "id": "m-0",
        "message_parts": [{"text": {"content": text}}],
        "actor_type": "user",
        "created_time": at,
        **more,
    }


STARTED = {"conversation_id": REF, "status": "new", "messages": [line("… Reference: h.0", interaction_id="i-2")]}


# -- opening ---------------------------------------------------------------------------------------------------------


async def test_a_user_is_made_and_a_conversation_begun_in_the_first_enabled_topic() -> None:
    vendor = Answering(
        GET__channels=(200, TOPICS), POST__users=(201, {"id": "u-1"}), POST__conversations=(201, STARTED)
    )
    desk = desk_with(vendor)
    card = VisitorCard(id="v", name="Kim van Berg", email="kim@example.com", phone="+47 1")
    made = await desk.open(request(visitor=card))
    assert vendor.told("POST /users") == [
        {
            "first_name": "Kim",
            "last_name": "van Berg",
            "email": "kim@example.com",
            "phone": "+47 1",
            "reference_id": "warmline-v",
        }
    ]
    (body,) = vendor.told("POST /conversations")
    (first,) = body.pop("messages")
    assert body == {"channel_id": "t-1", "status": "new", "users": [{"id": "u-1"}]}
    text = first["message_parts"][0]["text"]["content"]
    assert text.startswith("Bot: Hello!\nvisitor: Where is my lamp?\n\nReason: requested_by_visitor\n")
    assert "said later" not in text, "that follows by itself"
    assert made.state == {"user": "u-1", "interaction": "i-2", "begun": NOW}
    await desk.open(request(id="h.1"))
    assert len(vendor.told("GET /channels")) == 1, "the topic is remembered"


async def test_a_known_user_is_told_what_is_new_and_a_long_transcript_cut() -> None:
    known = {"users": [{"id": "u-1", "first_name": "Kim", "email": "old@example.com"}]}
    vendor = Answering(GET__users=(200, known), PUT__users=(200, {}), POST__conversations=(200, STARTED))
    desk = desk_with(vendor, topic_id="t-9", group_id="g-1")
    long = tuple(
        TranscriptLine(seq=n, at=NOW, author=AuthorKind.VISITOR, name="", text=f"line {n} " + "x" * 500)
        for n in range(1, 40)
    )
    card = VisitorCard(id="v", name="Kim", email="kim@example.com")
    await desk.open(request(visitor=card, transcript=long, cursor=39, escalate_to="topic:t-7"))
    assert vendor.told("PUT /users/u-1") == [{"first_name": "Kim", "email": "kim@example.com"}]
    (body,) = vendor.told("POST /conversations")
    assert (body["channel_id"], body["assigned_group_id"]) == ("t-7", "g-1")
    text = body["messages"][0]["message_parts"][0]["text"]["content"]
    assert text.startswith("… ")
    assert "line 39" in text
    assert "line 1 " not in text
    await desk.open(request(escalate_to="g-2"))
    assert vendor.told("POST /conversations")[1]["assigned_group_id"] == "g-2"


async def test_a_user_whom_somebody_else_has_just_made_is_found() -> None:
    vendor = Answering(
        GET__users=[(404, {}), (200, {"users": [{"id": "u-2"}]})],
        POST__users=(409, {}),
        POST__conversations=(201, STARTED),
    )
    made = await desk_with(vendor, topic_id="t-1").open(request())
    assert made.state["user"] == "u-2"
    refusing = Answering(GET__users=(200, {"users": []}), POST__users=(400, {}))
    with pytest.raises(Refused):
        await desk_with(refusing, topic_id="t-1").open(request())


async def test_a_conversation_that_went_on_resolved_is_opened_again() -> None:
    went_on = {"conversation_id": REF, "freshchat_conversation_id": 4711, "status": "resolved"}
    vendor = Answering(
        GET__users=(200, {"users": [{"id": "u-1"}]}), POST__conversations=(201, went_on), PUT__conversations=(200, {})
    )
    made = await desk_with(vendor, topic_id="t-1", group_id="g-1").open(request())
    assert vendor.told(f"PUT /conversations/{REF}") == [{"status": "new", "assigned_group_id": "g-1"}]
    assert made.state == {"user": "u-1", "number": "4711", "begun": NOW, "group": "g-1"}


async def test_after_a_lost_answer_the_conversation_is_found_by_its_reference() -> None:
    mine = {"conversations": [{"id": "c-0"}, {"id": "c-1"}, {"id": "c-2"}]}
    vendor = Answering(GET__users=(200, {"users": [{"id": "u-1"}], **mine}))
    vendor.answers["GET /conversations/c-1/messages"] = [(200, {"messages": [line("hm\nReference: h.0")]})]
    vendor.answers["GET /conversations/c-0/messages"] = [(500, {})]
    made = await desk_with(vendor, topic_id="t-1").open(request(repeated=True))
    assert made.ref == "c-1", "c-2 cannot be read, c-0 is not looked at any more"
    assert not vendor.told("POST /conversations")
    vendor.answers["GET /conversations/c-2/messages"] = [(500, {})]
    with pytest.raises(Unreachable):
        await desk_with(vendor, topic_id="t-1").open(request(repeated=True))


@pytest.mark.parametrize("answers", [{"GET__channels": (200, {"channels": []})}, {"POST__conversations": (200, {})}])
async def test_without_a_topic_or_an_id_nothing_is_open(answers: dict[str, Answer]) -> None:
    vendor = Answering(GET__users=(200, {"users": [{"id": "u-1"}]}), **answers)
    with pytest.raises(Refused):
        await desk_with(vendor, **({} if "GET__channels" in answers else {"topic_id": "t-1"})).open(request())


# -- talking ---------------------------------------------------------------------------------------------------------


async def _bytes() -> bytes:
    return b"bytes"


def file(name: str, media_type: str) -> File:
    return File(name=name, media_type=media_type, size=5, url=f"https://here/{name}", read=_bytes)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ((200, {"file_hash": "h", "file_id": "i"}), {"file_hash": "h", "file_id": "i"}),
        ((200, {"fileHash": "h"}), {"file_hash": "h"}),
        ((201, {"url": "https://there/a"}), {"url": "https://there/a"}),
        ((200, {}), {"url": "https://here/a.pdf"}),
        ((400, {}), {"url": "https://here/a.pdf"}),
    ],
)
async def test_a_file_is_named_by_whatever_its_upload_answers(answer: Answer, part: dict[str, str]) -> None:
    vendor = Answering(POST__files_upload=answer, POST__conversations=(201, {"id": "m-1"}))
    item = OutboundMessage(id="x", seq=1, text="", attachments=(file("a.pdf", "application/pdf"),))
    await desk_with(vendor).send(thread(), item)
    (body,) = vendor.told(f"POST /conversations/{REF}/messages")
    about = {"name": "a.pdf", "content_type": "application/pdf", "file_size_in_bytes": 5}
    assert body["message_parts"] == [{"file": {**about, **part}}]


@pytest.mark.parametrize(("status", "url"), [(200, "https://there/a"), (400, "https://here/a.png")])
async def test_a_picture_is_shown(status: int, url: str) -> None:
    vendor = Answering(
        POST__images_upload=(status, {"url": "https://there/a"}), POST__conversations=(201, {"id": "m-1"})
    )
    item = OutboundMessage(id="x", seq=1, text="Look", attachments=(file("a.png", "image/png"),))
    await desk_with(vendor).send(thread(), item)
    (body,) = vendor.told(f"POST /conversations/{REF}/messages")
    assert body["message_parts"] == [{"text": {"content": "Look"}}, {"image": {"url": url}}]


async def test_a_message_that_was_taken_and_failed_is_refused() -> None:
    failed = {"id": "m-1", "status": "Failed", "error_code": 400, "error_message": "File not found"}
    vendor = Answering(POST__conversations=(201, failed))
    with pytest.raises(Refused, match="File not found"):
        await desk_with(vendor).send(thread(), OutboundMessage(id="x", seq=1, text="Hello"))
    assert len(vendor.asked) == 1


async def test_a_refusal_is_tried_again_only_where_the_conversation_is_resolved() -> None:
    vendor = Answering(POST__conversations=(400, {}), GET__conversations=(200, {"status": "assigned"}))
    with pytest.raises(Refused):
        await desk_with(vendor).send(thread(), OutboundMessage(id="x", seq=1, text="Hello"))
    assert [asked for asked, _body in vendor.asked][-1] == f"GET /conversations/{REF}"
    typed = await desk_with(vendor).send(thread(), OutboundTyping(on=True))
    assert typed.vendor_id is None


async def test_lines_are_read_back_by_vendor_id_else_by_words() -> None:
    listed = {
        "messages": [
            line("Hello", id="m-1"),
            line("Hello", id="m-2", created_time="no moment"),
            line("too old", "2026-11-21T09:00:00.000Z", id="m-3"),
            line("an answer", id="m-4", actor_type="agent"),
        ]
    }
    vendor = Answering(GET__conversations=(200, listed), POST__conversations=(201, {"id": "m-1"}))
    desk = desk_with(vendor)
    await desk.send(thread(), OutboundMessage(id="x", seq=1, text="Hello"))
    found = [one for one in await desk.history(thread(), NOW - 1000) if isinstance(one, VisitorLine)]
    assert [(one.text, one.item_id, one.vendor_event_id) for one in found] == [
        ("Hello", "x", "m-1"),
        ("Hello", None, "m-2"),
    ]


async def test_where_only_numbers_can_be_read_the_number_is_asked() -> None:
    vendor = Answering()
    vendor.answers["GET /conversations/4711/messages"] = [(200, {"messages": [line("Hello")]})]
    desk = desk_with(vendor)
    assert len(await desk.history(thread(number="4711"), 0)) == 1
    vendor.answers[f"GET /conversations/{REF}"] = [(200, {"messages": []})]
    assert not await desk.history(thread(number="4711"), 0)
    vendor.answers[f"GET /conversations/{REF}"] = [(400, {})]
    with pytest.raises(Refused):
        await desk.history(thread(number="4711"), 0)


async def test_resolving_what_is_gone_is_as_good_as_resolved() -> None:
    vendor = Answering()
    await desk_with(vendor).close(thread(), EndReason.VISITOR_LEFT)
    assert vendor.asked == [(f"PUT /conversations/{REF}", {"status": "resolved"})]


# -- what events lack ------------------------------------------------------------------------------------------------


def replied(name: str, **more: Any) -> AgentReplied:
    raw = (FILES / f"{name}.json").read_bytes()
    return AgentReplied(thread_ref=REF, text="invoice.pdf", message_id="m-1", occurred_at=NOW, raw=raw, **more)


async def test_an_agent_is_asked_for_once_and_stays_nameless_when_unknown() -> None:
    agent = {"first_name": "Noor", "avatar": {"url": "https://there/noor.png"}}
    vendor = Answering(GET__agents=(200, agent))
    desk = desk_with(vendor)
    for _time in range(2):
        event = await desk.enrich(replied("message_by_agent"))
        assert isinstance(event, AgentReplied)
        assert (event.name, event.avatar) == ("Noor", "https://there/noor.png")
    assert len(vendor.asked) == 1
    raw = (FILES / "assigned.json").read_bytes()
    joined = await desk_with(Answering()).enrich(AgentJoined(thread_ref=REF, raw=raw))
    assert joined == AgentJoined(thread_ref=REF, raw=raw)
    unknown = Unknown(thread_ref=REF, raw=b"{}")
    assert await desk.enrich(unknown) is unknown


async def test_a_file_is_read_again_until_it_has_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    part = {"file": {"name": "invoice.pdf"}}
    without = {"messages": [line("", id="m-1", actor_type="agent", message_parts=[part])]}
    there = {"messages": [line("", id="m-1", message_parts=[{"file": {**part["file"], "url": "https://there/x"}}])]}
    vendor = Answering(GET__conversations=[(200, without), (200, there)])
    event = await desk_with(vendor).enrich(replied("message_by_agent_with_late_file"))
    assert isinstance(event, AgentReplied)
    assert ([one.url for one in event.files], event.text, len(waited)) == (["https://there/x"], "", 2)
    never = await desk_with(Answering(GET__conversations=(200, without))).enrich(
        replied("message_by_agent_with_late_file")
    )
    assert isinstance(never, AgentReplied)
    assert (never.files, never.text) == ((), "invoice.pdf")
    broken = await desk_with(Answering(GET__conversations=(500, {}))).enrich(replied("message_by_agent_with_late_file"))
    assert isinstance(broken, AgentReplied)
    assert broken.text == "invoice.pdf"


async def test_what_is_from_before_the_handover_is_put_aside() -> None:
    vendor = Answering(POST__conversations=(201, {"id": "m-1"}))
    desk = desk_with(vendor)
    before = replied("message_by_agent")
    raw = (FILES / "resolved_by_agent.json").read_bytes()
    end = ThreadEnded(thread_ref=REF, occurred_at=NOW, raw=raw)
    assert await desk.enrich(end) is end, "nobody knows of a beginning"
    await desk.send(thread(interaction="i-2", begun=NOW + 1), OutboundMessage(id="x", seq=1, text="Hello"))
    for event in (before, end):
        assert isinstance(await desk.enrich(event), Unknown)
    await desk.send(thread(interaction="i-1", begun=NOW + 1), OutboundMessage(id="y", seq=2, text="Hello"))
    assert isinstance(await desk.enrich(before), AgentReplied), "the same stretch, whatever the clocks say"
    await desk.send(thread(interaction="i-2", begun=NOW), OutboundMessage(id="z", seq=3, text="Hello"))
    assert await desk.enrich(end) is end


async def test_what_is_not_documented_is_not_claimed() -> None:
    assert await desk_with(Answering()).availability(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN


@pytest.mark.parametrize(
    ("channels", "sentence"),
    [
        ((500, {}), "in trouble"),
        ((200, {"channels": []}), "no enabled topic"),
        ((200, TOPICS), "cannot be used, this is no public key"),
    ],
)
async def test_the_check_says_what_is_wrong(channels: Answer, sentence: str) -> None:
    vendor = Answering(GET__accounts_configuration=(200, {"organisation_id": 1}), GET__channels=channels)
    health = await desk_with(vendor).check()
    assert not health.ok
    assert sentence in health.sentence
    assert base64.b64encode(b"t").decode() not in health.sentence
