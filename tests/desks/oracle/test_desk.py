"""What goes to Oracle with a handover, whom it is sent to, and what is made of answers that are not as expected."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from tests.support.desks import asking, linked_to

from warmline.desks.oracle import oracle_kind
from warmline.desks.oracle.desk import OracleDesk, context_posts
from warmline.desks.oracle.settings import OraclePayload
from warmline.handover.port import (
    AuthorKind,
    Availability,
    EndReason,
    HandoverRequest,
    OutboundNote,
    OutboundTyping,
    QueueRef,
    Refused,
    TranscriptLine,
    Unreachable,
    Unsupported,
    VisitorCard,
)
from warmline.kernel.clock import ManualClock, Millis
from warmline.platform.http import Outgoing, Reply

NO_HEADERS = CIMultiDictProxy(CIMultiDict[str]())
SITE = "https://shop.custhelp.com"
ENGAGED = {
    "sessionId": "s-1",
    "clientId": 9007199254740992,
    "clientIdString": "9007199254740993",
    "engagementId": 12,
    "resultType": "SUCCESS",
}


class Answering:
    """Stands for the outgoing client: answers by the end of the path, and keeps what was asked."""

    def __init__(self, **answers: tuple[int, Any]) -> None:
        self.place: dict[str, Any] = {"domain": "chat.custhelp.com", "pool": "p:1"}
        self.answers = {"requestEngagement": (200, ENGAGED), **answers}
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []

    async def request(self, method: str, url: str, *, headers: Any, body: bytes | None, **_more: Any) -> Reply:
        self.asked.append((method, url, dict(headers), json.loads(body) if body else None))
        name = url.partition("?")[0].rpartition("/")[2]
        if name == "establishSessions":
            told = {"channelToken": "t", "siteName": "shop", "sessionServerResponse": json.dumps(self.place)}
            return self._reply(*self.answers.get(name, (200, told)))
        return self._reply(*self.answers.get(name, (200, {})))

    @staticmethod
    def _reply(status: int, answer: Any) -> Reply:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return Reply(status=status, headers=NO_HEADERS, body=body)

    def told(self, name: str) -> list[Any]:
        return [body for _method, url, _headers, body in self.asked if f"/{name}" in url]

    @property
    def information(self) -> Any:
        return json.loads(self.told("establishSessions")[-1]["sessionInformation"])


def desk(answering: Answering, **settings: Any) -> OracleDesk:
    kind = oracle_kind(cast(Outgoing, answering), ManualClock(Millis(1_795_255_200_000)))
    values = {"site_url": SITE, "user": "warmline", "password": "secret", **settings}
    return cast(OracleDesk, kind.make(linked_to(kind, values)))


def request(**more: Any) -> HandoverRequest:
    fields: dict[str, Any] = {
        "reason": EndReason.NOT_UNDERSTOOD,
        "visitor": VisitorCard(name="Kim van Dam", email="kim@example.com"),
        "transcript": (line(1, "Where is my <lamp>?"), line(2, "I ask somebody.", AuthorKind.BOT), line(3, "later")),
        "cursor": 2,
        "page": {"url": "https://shop.example/?a=1&b=2"},
    }
    return asking(**(fields | more))


def line(seq: int, text: str, author: AuthorKind = AuthorKind.VISITOR) -> TranscriptLine:
    return TranscriptLine(seq=seq, at=seq, author=author, name="Kim" if author is AuthorKind.VISITOR else "", text=text)


async def test_who_asks_is_told_and_later_calls_bear_the_session_and_no_password() -> None:
    answering = Answering()
    one = desk(answering, queue_id="4")
    thread = await one.open(request())
    assert answering.information == {
        "firstName": "Kim",
        "lastName": "van Dam",
        "emailAddress": "kim@example.com",
        "question": "Where is my <lamp>?",
        "queueId": 4,
    }
    (_method, url, headers, _body), *later = answering.asked
    assert url == f"{SITE}/services/rest/crossChannelServices/latest/establishSessions"
    assert headers["Authorization"].startswith("Basic ")
    assert 0 < len(headers["OSvC-CREST-Application-Context"]) <= 40
    assert {url.partition("/v1/")[0] for _method, url, _headers, _body in later} == {
        "https://chat.custhelp.com/engagement/api/consumer/shop"
    }
    assert all(url.endswith("?pool=p%3A1") for _method, url, _headers, _body in later)
    assert later[0][2]["Authorization"] == "Bearer t"
    assert all(call[2]["SessionId"] == "s-1" and "Authorization" not in call[2] for call in later[1:])
    assert (thread.ref, thread.state["known"]["client"]) == ("12", "9007199254740993")


async def test_a_rungs_own_information_counts_and_numbers_are_numbers() -> None:
    answering = Answering()
    given = '{"emailAddress": null, "contactId": "9007199254740993", "productId": "none", "question": "Hi"}'
    payload = OraclePayload(crm_platform="oracle_chat", connection_id="x", session_information=given)
    await desk(answering, queue_id="4").open(request(payload=payload, escalate_to="9"))
    assert answering.information == {"contactId": 9007199254740993, "question": "Hi", "queueId": 9}


@pytest.mark.parametrize(
    ("place", "domains"),
    [
        ({"domain": "evil.example"}, ""),
        ({"domain": "custhelp.com.evil.example"}, ""),
        ({"domain": "evilcusthelp.com"}, ""),
        ({"domain": "169.254.169.254"}, ""),
        ({"domain": "chat.custhelp.com/x?"}, ""),
        ({"domain": "user@chat.custhelp.com"}, ""),
        ({"domain": "chat.custhelp.com:443"}, ""),
        ({"domain": ""}, ""),
        ({"domain": "chat.custhelp.com", "port": 99_999}, ""),
        ({"domain": "chat.custhelp.com", "port": "80@evil.example"}, ""),
        ({"domain": "chat.custhelp.com"}, "other.example"),
    ],
)
async def test_a_chat_server_elsewhere_is_not_called(place: dict[str, Any], domains: str) -> None:
    answering = Answering()
    answering.place |= place
    one = desk(answering, **({"chat_domains": domains} if domains else {}))
    with pytest.raises(Refused, match="none of the domains"):
        await one.open(request())
    assert len(answering.asked) == 1
    health = await one.check()
    assert (health.ok, "Domains of the chat servers" in health.sentence) == (False, True)


@pytest.mark.parametrize(
    ("place", "base"),
    [
        ({"domain": "CHAT.CustHelp.com."}, "https://chat.custhelp.com/"),
        ({"domain": "shop.custhelp.com", "port": "8443"}, "https://shop.custhelp.com:8443/"),
        ({"domain": "x.y.oraclecloud.com", "port": 443}, "https://x.y.oraclecloud.com:443/"),
    ],
)
async def test_a_chat_server_of_the_domains_is_called(place: dict[str, Any], base: str) -> None:
    answering = Answering()
    answering.place |= place
    await desk(answering).open(request())
    assert answering.asked[1][1].startswith(base)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((200, {"availableAgentSessions": 0, "availableAgentSessionsString": "0"}), Availability.AWAY),
        ((200, {"availableAgentSessions": 3}), Availability.AVAILABLE),
        ((200, {"totalAvailableAgents": 1}), Availability.AVAILABLE),
        ((200, {}), Availability.UNKNOWN),
        ((200, b"<html>"), Availability.UNKNOWN),
        ((500, {}), Availability.UNKNOWN),
    ],
)
async def test_availability(figures: tuple[int, Any], expected: Availability) -> None:
    answering = Answering(getQueueStats=figures)
    one = desk(answering, queue_id="4")
    for _time in range(2):
        assert await one.availability(QueueRef(ref=None, bot_id="b")) is expected
    if expected is not Availability.UNKNOWN:
        assert len(answering.told("establishSessions")) == 1, "one session tells where to ask for a while"
    assert "%22queueId%22%3A4" in answering.asked[-1][1]


async def test_without_a_queue_nobody_knows_who_is_there() -> None:
    answering = Answering()
    assert await desk(answering).availability(QueueRef(ref=None, bot_id="b")) is Availability.UNKNOWN
    assert answering.asked == []


def test_the_transcript_is_a_few_moderate_posts_of_the_newest_lines() -> None:
    lines = tuple(line(seq, f"line {seq} " + "x & " * 100) for seq in range(1, 40))
    head, *posts = context_posts(request(transcript=lines, cursor=38))
    assert "Page: https://shop.example/?a=1&amp;b=2" in head
    assert "Older lines are left out" in head
    assert len(posts) == 2
    assert all(len(post) <= 2_000 for post in posts)
    assert "line 38 " in posts[-1]
    assert "line 39 " not in "".join(posts)
    assert "line 1 " not in "".join(posts)


def test_a_very_long_line_is_cut_and_marks_stay_whole() -> None:
    _head, post = context_posts(request(transcript=(line(1, "&" * 10_000),), cursor=1))
    assert post.endswith("&amp;…</p>")


async def test_a_context_that_is_not_taken_undoes_nothing() -> None:
    answering = Answering(postMessage=(500, {}))
    thread = await desk(answering).open(request())
    assert thread.state["session"] == "s-1"
    assert len(answering.told("postMessage")) == 1


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"requestEngagement": (409, {})}, Refused),
        ({"requestEngagement": (404, {})}, Refused),
        ({"requestEngagement": (200, b"not JSON")}, Unreachable),
        ({"establishSessions": (200, {"channelToken": "t", "siteName": "shop"})}, Unreachable),
        (
            {"establishSessions": (200, {"channelToken": "t", "siteName": "s", "sessionServerResponse": "{"})},
            Unreachable,
        ),
    ],
)
async def test_answers_that_begin_no_chat(answers: dict[str, tuple[int, Any]], error: type[Exception]) -> None:
    with pytest.raises(error):
        await desk(Answering(**answers)).open(request())


async def test_typing_notes_and_an_end_that_was_one_already() -> None:
    answering = Answering(concludeEngagement=(403, {}))
    one = desk(answering)
    thread = await one.open(request())
    for on in (True, False):
        await one.send(thread, OutboundTyping(on=on))
    assert answering.told("activity") == [{"mode": "RESPONDING"}, {"mode": "LISTENING"}]
    with pytest.raises(Unsupported):
        await one.send(thread, OutboundNote(id="n", seq=4, text="psst"))
    await one.close(thread, EndReason.VISITOR_LEFT)
    assert len(answering.told("concludeEngagement")) == 1


async def test_an_empty_answer_to_a_poll_is_no_news() -> None:
    one = desk(Answering(getMessages=(204, b"")))
    thread = await one.open(request())
    polled = await one.poll(thread, thread.state)
    assert (polled.events, polled.done, polled.state) == ((), False, thread.state)
