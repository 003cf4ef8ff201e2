"""A connection that fails is told to one address, once, and once more when it is well again; the address is a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from aiohttp import web
from tests.support.pair import StorePair
from tests.support.server import serving
from tests.support.thrift import thrift

from warmline.accounts.access import SYSTEM
from warmline.app import Node
from warmline.handover.connection_alerts import LEASE_MS, MOST_ROUNDS, ConnectionAlerts, Telling
from warmline.handover.connection_store import HealthNote
from warmline.handover.port import Health
from warmline.kernel.clock import ManualClock, from_rfc3339
from warmline.kernel.errors import SettingsError
from warmline.platform.settings import redacted
from warmline.platform.signing import ID_HEADER, new_secret, verify

BAD = Health(ok=False, sentence="Dixa refuses the <credentials>.")
WELL = Health(ok=True, sentence="Dixa answers.")


@dataclass
class Receiver:
    """An incoming webhook.  ``answers`` are statuses for the next calls, then 200; while ``held`` it does not answer."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Receiver]:
        found = cls()
        found.held.set()
        application = web.Application()
        application.router.add_post("/services/T1/secret", found._take)
        async with serving(application) as base:
            found.url = f"{base}/services/T1/secret"
            yield found

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append((headers, await request.read()))
        async with self.heard:
            self.heard.notify_all()
        await self.held.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200, text="ok")

    async def until(self, count: int) -> list[Telling]:
        """What was told once there were ``count`` calls."""
        async with asyncio.timeout(15), self.heard:
            await self.heard.wait_for(lambda: len(self.calls) >= count)
        return [msgspec.json.decode(body, type=Telling) for _headers, body in self.calls]


@contextlib.asynccontextmanager
async def node_on(pair: StorePair, clock: ManualClock | None = None, **settings: Any) -> AsyncIterator[Node]:
    with thrift():
        async with Node(
            pair.settings(allow_private_targets="127.0.0.0/8", public_url="https://chat.shop.example", **settings),
            clock=clock,
        ) as node:
            yield node


async def connection(node: Node, name: str = "Shop desk") -> str:
    made = await node.connections.create(SYSTEM, kind="builtin", name=name, settings={}, bot_ids=[])
    return made.connection.id


@contextlib.asynccontextmanager
async def alerts(node: Node, url: str, *, secret: str = "") -> AsyncIterator[None]:
    """Beside a node that has none: another one that was given the address."""
    found = ConnectionAlerts(
        node.journal,
        node.connections,
        node.outgoing,
        node.clock,
        url=url,
        secret=secret,
        public_url="https://chat.shop.example",
        pauses_s=(0.01, 0.01),
    )
    await found.start()
    try:
        yield
    finally:
        await found.stop()


async def noted(node: Node, connection_id: str, *, told: bool) -> HealthNote:
    """The health once it says that people were told, or that one round of trying is over."""
    async with asyncio.timeout(15):
        while True:
            await node.connections.refresh()
            note = node.connections.get(connection_id).health
            if note is not None and note.alert is not None and bool(note.alert.told) is told and note.alert.begun:
                return note
            await asyncio.sleep(0.01)


async def test_an_outage_is_told_once_and_its_end_once(pair: StorePair) -> None:
    secret = new_secret()
    async with Receiver.running() as receiver:
        async with node_on(pair, alert_url=receiver.url, alert_secret=secret) as node:
            desk = await connection(node)
            await node.connections.note_health(desk, WELL)
            await node.connections.note_health(desk, BAD)
            (told,) = await receiver.until(1)
            assert (told.kind, told.connection) == ("connection.fails", desk)
            assert told.url == f"https://chat.shop.example/console/connections/{desk}"
            assert "“Shop desk” fails" in told.text
            assert "Dixa refuses the ‹credentials›." in told.text
            headers, body = receiver.calls[0]
            assert verify([secret], headers, body, now=node.clock.now()) == headers[ID_HEADER]
            note = await noted(node, desk, told=True)
            assert from_rfc3339(told.since) == note.since
            await node.connections.note_health(desk, Health(ok=False, sentence="In other words."))
            await node.connections.check(SYSTEM, await connection(node, "Another desk"))
        # Started again, it has nothing new to say of what was told.
        async with node_on(pair, alert_url=receiver.url, alert_secret=secret) as node:
            await node.connections.note_health(desk, Health(ok=False, sentence="And others."))
            await node.connections.note_health(desk, WELL)
            assert [one.kind for one in await receiver.until(2)] == ["connection.fails", "connection.well"]
            assert (await receiver.until(2))[1].since == told.since
            await noted(node, desk, told=True)
            await node.connections.note_health(desk, BAD)
            assert [one.kind for one in await receiver.until(3)][2:] == ["connection.fails"]
            await noted(node, desk, told=True)
    assert len(receiver.calls) == 3
    assert len({headers[ID_HEADER] for headers, _body in receiver.calls}) == 3


async def test_what_is_not_taken_is_tried_again_under_the_same_id(pair: StorePair) -> None:
    secret = new_secret()
    async with Receiver.running() as receiver, node_on(pair) as node:
        desk = await connection(node)
        receiver.answers = [503, 429]
        async with alerts(node, receiver.url, secret=secret):
            await node.connections.note_health(desk, BAD)
            await noted(node, desk, told=True)
        assert len(receiver.calls) == 3
        assert len({headers[ID_HEADER] for headers, _body in receiver.calls}) == 1


async def test_two_nodes_tell_it_once(pair: StorePair) -> None:
    async with Receiver.running() as receiver, node_on(pair) as node:
        desk = await connection(node)
        async with alerts(node, receiver.url), alerts(node, receiver.url):
            await node.connections.note_health(desk, BAD)
            note = await noted(node, desk, told=True)
        assert note.alert is not None
        assert (len(receiver.calls), note.alert.rounds) == (1, 1)


async def test_what_a_node_left_untold_is_told_by_another_one_but_not_for_ever(
    pair: StorePair, clock: ManualClock
) -> None:
    async with Receiver.running() as receiver, node_on(pair, clock) as node:
        desk = await connection(node)
        receiver.answers = [404] * MOST_ROUNDS
        await node.connections.note_health(desk, BAD)
        for times in range(1, MOST_ROUNDS + 2):
            async with alerts(node, receiver.url):
                await receiver.until(min(times, MOST_ROUNDS))
                note = await noted(node, desk, told=False)
            assert note.alert is not None
            assert note.alert.rounds == len(receiver.calls) == min(times, MOST_ROUNDS), "404 is not tried twice at once"
            clock.advance(LEASE_MS)


async def test_nothing_waits_for_an_address_that_does_not_answer(pair: StorePair) -> None:
    async with Receiver.running() as receiver, node_on(pair) as node:
        slow, well = await connection(node), await connection(node, "Another desk")
        receiver.held.clear()
        async with alerts(node, receiver.url):
            await node.connections.note_health(slow, BAD)
            await receiver.until(1)
            await node.connections.note_health(well, BAD)
            told = await receiver.until(2)
            assert {one.connection for one in told} == {slow, well}
            await node.connections.note_health(slow, WELL)
            receiver.held.set()
            told = await receiver.until(3)
            assert (told[2].kind, told[2].connection) == ("connection.well", slow), "its end is told after all"


async def test_nobody_is_told_of_the_end_of_what_he_never_heard_of(pair: StorePair) -> None:
    async with Receiver.running() as receiver, node_on(pair) as node:
        quiet, off, loud = [await connection(node, name) for name in ("Quiet", "Off", "Loud")]
        await node.connections.note_health(quiet, BAD)
        await node.connections.note_health(quiet, WELL)
        await node.connections.note_health(off, BAD)
        await node.connections.disable(SYSTEM, off)
        async with alerts(node, receiver.url):
            await node.connections.note_health(loud, BAD)
            await noted(node, loud, told=True)
        assert [one.connection for one in await receiver.until(1)] == [loud]


async def test_an_address_inside_the_network_is_not_called_unless_it_is_allowed(pair: StorePair) -> None:
    async with Receiver.running() as receiver:
        with thrift():
            async with Node(pair.settings()) as node:
                desk = await connection(node)
                async with alerts(node, receiver.url):
                    await node.connections.note_health(desk, BAD)
                    note = await noted(node, desk, told=False)
        assert note.alert is not None
        assert receiver.calls == []


def test_the_address_is_a_secret(pair: StorePair) -> None:

    chosen = pair.settings(alert_url="https://hooks.example.com/services/T1/secret?sig=x", alert_secret=new_secret())
    shown = redacted(chosen)
    assert shown["alert_url"] == "https://hooks.example.com/***"
    assert shown["alert_secret"] == "***"


@pytest.mark.parametrize("name", ["alert_url", "alert_secret"])
def test_a_bad_value_stops_the_start(pair: StorePair, name: str) -> None:

    with pytest.raises(SettingsError, match="cannot be what it holds"):
        pair.settings(**{name: "whsec_short"})
