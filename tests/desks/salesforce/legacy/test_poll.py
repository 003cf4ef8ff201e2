"""The long poll: what it keeps, how it follows a session to another server, and how it finds out that one is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.support.desks import asking

from warmline.desks.salesforce.legacy.client import AffinityLost, Batch, Keys, Message, Session, SessionOver
from warmline.desks.salesforce.legacy.desk import LiveAgentDesk
from warmline.desks.salesforce.payload import PAYLOAD
from warmline.handover.desk_kinds import Linked
from warmline.handover.payloads import fill_payload
from warmline.handover.port import (
    AgentReplied,
    AuthorKind,
    EndReason,
    OpenFailed,
    OutboundMessage,
    Polled,
    Refused,
    Thread,
    ThreadEnded,
    TranscriptLine,
    Unreachable,
    VisitorLine,
)
from warmline.kernel.clock import SystemClock
from warmline.platform.http import Outgoing

Answer = Batch | Exception | None


class ScriptedServer:
    """Answers the calls of the desk's client; what it was told stands in ``posts``."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Mapping[str, Any], str, int | None]] = []
        self.polls: list[tuple[str, int]] = []
        self.answers: list[Answer] = []
        self.refuse_post: list[Exception] = []
        self.reconnects: list[int | None] = []
        self.there: bool | None = True
        self.not_moved = False
        self.sessions = 0
        self.holds = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def session(self, _operation: str) -> Session:
        self.sessions += 1
        return Session(id=f"s-{self.sessions}", key="key", affinity_token="one", client_poll_timeout=30)

    async def available(self, _organization: str, _deployment: str, _button: str, _operation: str) -> bool | None:
        return self.there

    async def post(self, _operation: str, noun: str, body: Mapping[str, Any], keys: Keys, number: int | None) -> None:
        if self.refuse_post:
            raise self.refuse_post.pop(0)
        self.posts.append((noun, body, keys.affinity, number))

    async def messages(self, keys: Keys, ack: int, _wait_s: float) -> Batch | None:
        self.polls.append((keys.affinity, ack))
        if not self.answers:
            self.holds.set()
            await self.goes_on.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def reconnect(self, _keys: Keys, offset: int | None) -> str:
        self.reconnects.append(offset)
        if self.not_moved:
            raise Refused("405")
        return "two"


def batch(*messages: tuple[str, dict[str, Any]], sequence: int) -> Batch:
    made = tuple(Message(type=type_, message=told) for type_, told in messages)
    return Batch(messages=made, sequence=sequence, offset=100 + sequence)


ESTABLISHED = ("ChatEstablished", {"name": "Noor"})
DATA = ("ChasitorSessionData", {"chatMessages": [{"type": "Chasitor", "content": "hello?", "timestamp": 5_000}]})


@pytest.fixture
def server() -> ScriptedServer:
    return ScriptedServer()


@pytest.fixture
def make(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[], LiveAgentDesk]:
    def desk() -> LiveAgentDesk:
        settings = {
            "chat_url": "https://d.example.com/chat/rest/",
            "organization_id": "00D6g000003Q6HI",
            "deployment_id": "5726g000000k9nQ",
            "button_id": "5736g000000k9nQ",
        }
        linked = Linked(connection_id="x", name="x", bot_ids=("b",), settings=settings, secrets={})
        made = LiveAgentDesk(linked, Outgoing(), SystemClock())
        monkeypatch.setattr(made, "_client", server)
        return made

    return desk


@pytest.fixture
def desk(make: Callable[[], LiveAgentDesk]) -> LiveAgentDesk:
    return make()


async def step(desk: LiveAgentDesk, thread: Thread) -> tuple[Thread, Polled]:
    """One poll, and the thread with the state that is stored after it (through JSON, as it is)."""
    polled = await desk.poll(thread, thread.state)
    return replace(thread, state=msgspec.json.decode(msgspec.json.encode(polled.state))), polled


async def connected(desk: LiveAgentDesk, server: ScriptedServer) -> Thread:
    thread = await desk.open(asking())
    server.answers.append(batch(ESTABLISHED, sequence=1))
    thread, _polled = await step(desk, thread)
    return thread


async def test_what_was_said_goes_with_the_request(desk: LiveAgentDesk, server: ScriptedServer) -> None:
    line = TranscriptLine(seq=1, at=1, author=AuthorKind.VISITOR, name="", text="Where is my lamp?")
    thread = await desk.open(asking(transcript=(line,), page={"url": "https://shop.example/lamps"}))
    ((noun, body, affinity, number),) = server.posts
    assert (noun, affinity, number, body["sessionId"], thread.ref) == ("ChasitorInit", "one", 1, "s-1", "s-1")
    details = {detail["label"]: detail["value"] for detail in body["prechatDetails"]}
    assert details["Conversation so far"] == "visitor: Where is my lamp?"
    assert details["Page"] == "https://shop.example/lamps"
    assert "key" not in repr(thread)


async def test_a_repeated_opening_goes_to_the_same_session_under_the_same_number(
    desk: LiveAgentDesk, server: ScriptedServer
) -> None:
    server.refuse_post = [Unreachable("no answer")]
    with pytest.raises(Unreachable):
        await desk.open(asking())
    thread = await desk.open(asking(repeated=True))
    assert (thread.ref, server.sessions, server.posts[0][3]) == ("s-1", 1, 1)


async def test_a_session_that_died_before_the_chat_began_is_replaced(
    desk: LiveAgentDesk, server: ScriptedServer
) -> None:
    server.refuse_post = [SessionOver("403")]
    with pytest.raises(Unreachable):
        await desk.open(asking())
    assert (await desk.open(asking(repeated=True))).ref == "s-2"


async def test_a_poll_acknowledges_what_the_one_before_brought(desk: LiveAgentDesk, server: ScriptedServer) -> None:
    thread = await connected(desk, server)
    server.answers += [None, batch(("ChatMessage", {"text": "Hi"}), sequence=2)]
    for _ in range(2):
        thread, polled = await step(desk, thread)
    assert [type(event) for event in polled.events] == [AgentReplied]
    assert server.polls == [("one", -1), ("one", 1), ("one", 1)]


@pytest.mark.parametrize("found_by", ["poll", "send"])
async def test_a_session_is_followed_to_another_server(
    desk: LiveAgentDesk, server: ScriptedServer, found_by: str
) -> None:
    thread = await connected(desk, server)
    hello = OutboundMessage(id="m-1", seq=1, text="hello?", at=5_000)
    if found_by == "poll":
        server.answers.append(AffinityLost("503"))
        thread, polled = await step(desk, thread)
    else:
        held = asyncio.create_task(step(desk, thread))
        await server.holds.wait()
        server.refuse_post = [AffinityLost("503")]
        with pytest.raises(AffinityLost):
            await desk.send(thread, hello)
        thread, polled = await held
    assert (polled.events, server.reconnects) == ((), [101])
    with pytest.raises(AffinityLost):
        await desk.send(thread, hello)
    server.answers.append(batch(DATA, ("ChatMessage", {"text": "Still here?"}), sequence=1))
    thread, polled = await step(desk, thread)
    assert [event.text for event in polled.events if isinstance(event, AgentReplied)] == ["Still here?"]
    assert server.polls[-1] == ("two", -1)
    assert ("ChasitorResyncState", {"organizationId": "00D6g000003Q6HI"}, "two", None) in server.posts
    (line,) = await desk.history(thread, 3_000)
    assert isinstance(line, VisitorLine)
    assert line.text == "hello?"
    assert await desk.history(thread, 6_000) == []
    await desk.send(thread, OutboundMessage(id="m-2", seq=2, text="and now?"))
    _noun, _body, affinity, number = server.posts[-1]
    assert (affinity, number) == ("two", 1)


async def test_another_process_goes_on_in_the_middle_of_a_move(
    desk: LiveAgentDesk, server: ScriptedServer, make: Callable[[], LiveAgentDesk]
) -> None:
    thread = await connected(desk, server)
    server.answers.append(AffinityLost("503"))
    thread, _polled = await step(desk, thread)
    other = make()
    with pytest.raises(AffinityLost):
        await other.send(thread, OutboundMessage(id="m", seq=1, text="x"))
    server.answers.append(batch(DATA, sequence=1))
    thread, _polled = await step(other, thread)
    await other.send(thread, OutboundMessage(id="m", seq=1, text="x"))
    assert server.posts[-1][2:] == ("two", 1)


async def test_a_503_from_in_between_moves_nothing(desk: LiveAgentDesk, server: ScriptedServer) -> None:
    thread = await connected(desk, server)
    server.answers.append(AffinityLost("503"))
    server.not_moved = True
    with pytest.raises(Unreachable):
        await desk.poll(thread, thread.state)
    await desk.send(thread, OutboundMessage(id="m", seq=1, text="x"))
    assert server.posts[-1][2:] == ("one", 2)


async def test_a_session_that_is_gone_says_so_once(desk: LiveAgentDesk, server: ScriptedServer) -> None:
    thread = await desk.open(asking())
    server.answers.append(SessionOver("403"))
    _thread, polled = await step(desk, thread)
    assert ([type(event) for event in polled.events], polled.done) == ([OpenFailed], True)
    thread = await connected(desk, server)
    server.answers.append(SessionOver("409"))
    _thread, polled = await step(desk, thread)
    assert ([type(event) for event in polled.events], polled.done) == ([ThreadEnded], True)


async def test_our_own_end_is_no_event(desk: LiveAgentDesk, server: ScriptedServer) -> None:
    thread = await connected(desk, server)
    held = asyncio.create_task(step(desk, thread))
    await server.holds.wait()
    await desk.close(thread, EndReason.VISITOR_LEFT)
    assert server.posts[-1][0:2] == ("ChatEnd", {"reason": "client"})
    server.answers.append(batch(("ChatEnded", {"reason": "client"}), sequence=2))
    server.goes_on.set()
    _thread, polled = await held
    assert (polled.events, polled.done) == ((), True)


async def test_a_chat_that_is_over_can_be_closed(desk: LiveAgentDesk, server: ScriptedServer) -> None:
    thread = await connected(desk, server)
    server.refuse_post = [SessionOver("403")]
    await desk.close(thread, EndReason.CLOSED)
    assert server.refuse_post == []


async def test_nobody_there_for_the_payloads_button_refuses_the_rung(
    desk: LiveAgentDesk, server: ScriptedServer
) -> None:
    server.there = False
    await desk.open(asking())  # its own button was asked for before
    text = PAYLOAD.example.replace("5736g000000k9nQ", "5736g0000000001")
    elsewhere = fill_payload(PAYLOAD, text, {})
    with pytest.raises(Refused):
        await desk.open(replace(asking(), payload=elsewhere))
