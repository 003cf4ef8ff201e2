"""What the CRM's answers mean: the error table, availability, and the connection check."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.desks.customcrm.support import BOT, Crm, make_desk, make_request, outgoing_to, payload, running_crm

from warmline.desks.shared.answers import LONGEST_PAUSE_S, retry_after
from warmline.handover.port import (
    AuthRejected,
    Availability,
    DeskError,
    OutboundMessage,
    QueueRef,
    RateLimited,
    Refused,
    Unreachable,
)
from warmline.kernel.clock import ManualClock
from warmline.platform.http import Outgoing

QUEUE = QueueRef(ref="billing", bot_id=BOT, conversation_id="c-8841")


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with running_crm() as running:
        yield running


@pytest.fixture
async def outgoing(crm: Crm) -> AsyncIterator[Outgoing]:
    async with outgoing_to(crm.url) as client:
        yield client


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (301, Refused, False),
        (302, Refused, False),
        (307, Refused, False),
        (400, Refused, False),
        (401, AuthRejected, False),
        (403, AuthRejected, False),
        (404, Refused, False),
        (405, Refused, False),
        (408, Unreachable, True),
        (409, Refused, False),
        (410, Refused, False),
        (413, Refused, False),
        (422, Refused, False),
        (425, Unreachable, True),
        (429, RateLimited, True),
        (500, Unreachable, True),
        (501, Unreachable, True),
        (502, Unreachable, True),
        (503, Unreachable, True),
        (504, Unreachable, True),
        (599, Unreachable, True),
    ],
)
async def test_what_a_status_means(
    crm: Crm, outgoing: Outgoing, status: int, kind: type[DeskError], retryable: bool
) -> None:
    crm.answers(status, {"message": "no"}, {"Location": crm.url} if 300 <= status < 400 else None)
    desk = make_desk(outgoing, crm.url)
    with pytest.raises(DeskError) as caught:
        await desk.open(make_request())
    error = caught.value
    assert type(error) is kind
    assert (error.retryable, error.vendor_status, error.desk, error.operation) == (
        retryable,
        status,
        "customcrm",
        "open",
    )
    assert error.vendor_body == '{"message": "no"}'
    assert "message" not in str(error)
    assert len(crm.got) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_a_yes_whatever_the_body_says(crm: Crm, outgoing: Outgoing, status: int) -> None:
    crm.answers(status)
    desk = make_desk(outgoing, crm.url)
    thread = await desk.open(make_request())
    assert (await desk.send(thread, OutboundMessage(id="m", seq=1, text="x"))).vendor_id is None


async def test_a_429_says_how_long(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url)
    for header, expected in (({"Retry-After": "7"}, 7.0), ({}, None)):
        crm.answers(429, headers=header)
        with pytest.raises(RateLimited) as caught:
            await desk.open(make_request())
        assert caught.value.retry_after == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("inf", LONGEST_PAUSE_S),
        ("99999999", LONGEST_PAUSE_S),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("Tue, 99 Nov 2023 22:13:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 1_700_000_000_000) == seconds


@given(st.text(max_size=60))
def test_retry_after_never_fails(value: str) -> None:
    pause = retry_after(value, 1_700_000_000_000)
    assert pause is None or 0 <= pause <= LONGEST_PAUSE_S


async def test_a_crm_that_hangs_is_unreachable(crm: Crm, outgoing: Outgoing) -> None:
    never = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    crm.answer = hang
    desk = make_desk(outgoing, crm.url, timeout_s=1)
    with pytest.raises(Unreachable, match="within 1 seconds"):
        await desk.open(make_request())
    never.set()


async def test_a_crm_that_hangs_up_is_unreachable(crm: Crm, outgoing: Outgoing) -> None:
    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    crm.answer = hang_up
    with pytest.raises(Unreachable):
        await make_desk(outgoing, crm.url).open(make_request())
    assert len({one.headers["webhook-id"] for one in crm.got}) == 1


async def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    async with outgoing_to(url) as outgoing:
        with pytest.raises(Unreachable) as caught:
            await make_desk(outgoing, url).open(make_request())
    assert caught.value.retryable


async def test_a_forbidden_address_is_refused_and_names_the_setting() -> None:
    async with outgoing_to("https://elsewhere.example:443/hook") as outgoing:
        desk = make_desk(outgoing, "https://127.0.0.1:9/hook")
        with pytest.raises(Refused, match="WARMLINE_ALLOW_PRIVATE_TARGETS"):
            await desk.open(make_request())


async def test_of_an_endless_answer_the_status_counts(crm: Crm, outgoing: Outgoing) -> None:
    desk = make_desk(outgoing, crm.url, team_online=True)
    crm.answers(200, "x" * 100_000)
    assert (await desk.open(make_request())).ref == "c-8841"
    assert await desk.availability(QueueRef(ref=None, bot_id=BOT)) is Availability.UNKNOWN
    for status, error in ((503, Unreachable), (429, RateLimited), (422, Refused)):
        crm.answers(status, "x" * 100_000)
        with pytest.raises(error):
            await desk.open(make_request())


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, {"isOnline": True}, Availability.AVAILABLE),
        (200, {"isOnline": False, "team": "x"}, Availability.AWAY),
        (200, {"isOnline": "true"}, Availability.UNKNOWN),
        (200, {"isOnline": 1}, Availability.UNKNOWN),
        (200, {"isOnline": None}, Availability.UNKNOWN),
        (200, {}, Availability.UNKNOWN),
        (200, [], Availability.UNKNOWN),
        (200, None, Availability.UNKNOWN),
        (401, {"isOnline": True}, Availability.UNKNOWN),
        (404, None, Availability.UNKNOWN),
        (500, {"isOnline": False}, Availability.UNKNOWN),
    ],
)
async def test_whether_the_team_is_online(
    crm: Crm, outgoing: Outgoing, status: int, answer: Any, expected: Availability
) -> None:
    crm.answers(status, answer)
    desk = make_desk(outgoing, crm.url, team_online=True)
    assert await desk.availability(QUEUE) is expected
    assert crm.got[0].body == payload("out/is_team_online")


async def test_the_team_is_only_asked_for_where_the_connection_has_opted_in(crm: Crm, outgoing: Outgoing) -> None:
    assert await make_desk(outgoing, crm.url).availability(QUEUE) is Availability.UNKNOWN
    assert crm.got == []


async def test_an_answer_is_kept_for_ten_seconds_and_many_ask_once(crm: Crm, outgoing: Outgoing) -> None:
    clock = ManualClock()
    crm.answers(200, {"isOnline": True})
    desk = make_desk(outgoing, crm.url, clock=clock, team_online=True)
    answers = await asyncio.gather(*(desk.availability(QUEUE) for _ in range(20)))
    assert set(answers) == {Availability.AVAILABLE}
    clock.advance(9_999)
    crm.answers(200, {"isOnline": False})
    assert await desk.availability(QUEUE) is Availability.AVAILABLE
    assert len(crm.got) == 1
    clock.advance(1)
    assert await desk.availability(QUEUE) is Availability.AWAY
    assert await desk.availability(QueueRef(ref="sales", bot_id=BOT)) is Availability.AWAY
    assert [one.body["data"]["teamId"] for one in crm.got] == ["billing", "billing", "sales"]


async def test_who_gives_up_waiting_does_not_take_the_answer_from_others(crm: Crm, outgoing: Outgoing) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def wait(_request: web.Request) -> web.StreamResponse:
        asked.set()
        await go.wait()
        return web.json_response({"isOnline": True})

    crm.answer = wait
    desk = make_desk(outgoing, crm.url, team_online=True)
    first = asyncio.ensure_future(desk.availability(QUEUE))
    second = asyncio.ensure_future(desk.availability(QUEUE))
    await asyncio.wait_for(asked.wait(), 10)
    first.cancel()
    go.set()
    assert await second is Availability.AVAILABLE
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(crm.got) == 1


@pytest.mark.parametrize(
    ("status", "answer", "team_online", "ok", "words"),
    [
        (200, {"isOnline": True}, True, True, "online"),
        (200, {"isOnline": False}, False, True, "offline"),
        (200, None, False, True, "answers"),
        (200, None, True, False, "isOnline"),
        (400, None, False, True, "400"),
        (400, None, True, False, "400"),
        (401, None, False, False, "401"),
        (404, None, False, False, "404"),
        (429, None, False, True, "429"),
        (500, None, False, False, "500"),
    ],
)
async def test_checking_a_connection(
    crm: Crm, outgoing: Outgoing, status: int, answer: Any, team_online: bool, ok: bool, words: str
) -> None:
    crm.answers(status, answer)
    health = await make_desk(outgoing, crm.url, team_online=team_online).check()
    assert health.ok is ok
    assert words in health.sentence
    assert [one.body["data"]["eventType"] for one in crm.got] == ["isTeamOnline"]
