"""Whole stories of the open protocol over real HTTP both ways: a helpdesk that takes handovers, a bot that hands over."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiohttp
import msgspec
import pytest
from aiohttp import web
from tests.support.journey import lines, set_ladder, until, until_equal, until_said
from tests.support.node import Stage
from tests.support.together import Together as Shared
from tests.support.together import beside

from warmline.accounts.access import SYSTEM
from warmline.conformance.rigs.open import OpenRig
from warmline.conversations.events import HandoverRungFailed
from warmline.kernel.clock import SystemClock
from warmline.kernel.ids import uuid7
from warmline.platform.signing import new_secret, sign, verify
from warmline.simulators.script import Kind


class Together(Shared[OpenRig]):
    """A talk is an attempt."""

    stages: ClassVar[frozenset[str]] = frozenset({"offered"})

    async def post(self, body: dict[str, Any], *, secret: str = "", event_id: str = "d_1") -> tuple[int, Any]:
        """A delivery of the helpdesk's, as it likes; status and answer."""
        raw = json.dumps(body).encode()
        headers = sign([secret or str(self.rig.settings["sender_secret"])], event_id, SystemClock().now(), raw)
        url = f"{self.stage.base}/in/{self.connection_id}"
        async with self.stage.http.post(url, data=raw, headers=headers) as reply:
            return reply.status, await reply.json(content_type=None)


@contextlib.asynccontextmanager
async def together(house: Stage) -> AsyncIterator[Together]:
    async with beside(house, OpenRig.running()) as found:
        yield Together(*found)


async def test_from_the_bot_to_an_agent_and_back(shared_house: Stage) -> None:
    async with together(shared_house) as at:
        conversation, attempt = await at.asked()
        context = at.rig.context(attempt)
        assert "visitor: Where is my lamp?" in context
        assert "queue: returns" in context
        await at.rig.moves_in_queue(attempt, 3, 7)
        state = await at.stage.until_stage(conversation, "queued")
        assert (state.handover.position, state.handover.wait_minutes) == (3, 7)
        name = await at.rig.joins(attempt)
        state = await at.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == name
        await at.stage.say(conversation, "It never arrived.")
        await until_equal(lambda: at.rig.heard(attempt), ["It never arrived."])
        await at.rig.says(attempt, "I look.")
        await until_said(at.stage, conversation, "agent", lambda said: said == ["I look."])
        await at.rig.transfers(attempt)
        await at.stage.until_stage(conversation, "transferring")
        await at.rig.joins(attempt, 1)
        await at.stage.until_stage(conversation, "connected")
        await at.rig.ends(attempt)
        await at.stage.until_stage(conversation, None)
        assert (await at.stage.state(conversation)).owner == "bot"


async def test_whoever_has_joined_may_pass_it_on_down_the_ladder(shared_house: Stage) -> None:
    async with together(shared_house) as at:
        conversation, attempt = await at.connected()
        await at.stage.say(conversation, "Are you there?")
        await until_equal(lambda: at.rig.heard(attempt), ["Are you there?"])
        await at.rig.passes(attempt, "ladder")
        state = await at.stage.until(conversation, lambda s: s.handover and s.handover.rung == 1)
        assert state.handover.step.connection_id == at.stage.desk_id
        left = [one.body for one in await at.stage.events(conversation) if isinstance(one.body, HandoverRungFailed)]
        assert [one.reason for one in left] == ["refused"]
        # Whoever has ended an attempt need not be told that it is over.
        await at.stage.until(conversation, lambda s: s.handover.stage == "offered")
        assert [kind for kind, _attempt in at.rig.crm.got] == ["handover.offered", "message.posted"]


async def test_whoever_has_joined_may_pass_it_back_to_the_bot(shared_house: Stage) -> None:
    async with together(shared_house) as at:
        conversation, attempt = await at.connected()
        await at.rig.passes(attempt, "bot")
        await at.stage.until_stage(conversation, None)
        state = await at.stage.state(conversation)
        assert (state.owner, state.status) == ("bot", "open")


async def test_a_report_that_breaks_the_schema_is_refused_with_its_field(shared_house: Stage) -> None:
    async with together(shared_house) as at:
        _conversation, attempt = await at.asked()
        for body, path in (
            ({"type": "accept", "id": "1"}, "$.attempt_id"),
            ({"type": "queue", "id": "1", "attempt_id": attempt, "position": 0}, "$.position"),
            ({"type": "pass", "id": "1", "attempt_id": attempt, "to": "nobody"}, "$.to"),
            ({"type": "message", "id": "1", "attempt_id": attempt, "text": ""}, "$.text"),
        ):
            status, answer = await at.post(body)
            assert (status, answer["path"]) == (400, path), answer
        body = {"type": "accept", "id": "1", "attempt_id": attempt}
        status, answer = await at.post(body, secret=new_secret())
        assert (status, answer["code"]) == (401, "signature_rejected")
        assert await at.post(body) == (200, {})


async def test_a_report_that_comes_too_late_touches_no_later_owner(shared_house: Stage) -> None:
    async with together(shared_house) as at:
        conversation, attempt = await at.connected()
        await at.rig.ends(attempt)
        await at.stage.until_stage(conversation, None)
        await at.stage.say(conversation, "talk to a person")
        later = await at.rig.until_waiting()
        await at.stage.until_stage(conversation, "offered")
        assert later != attempt
        for kind, fields in (("message", {"text": "late"}), ("release", {}), ("accept", {})):
            body = {"type": kind, "id": f"late-{kind}", "attempt_id": attempt, **fields}
            assert await at.post(body, event_id=f"late-{kind}") == (200, {})
        await at.rig.joins(later, 1)
        state = await at.stage.until_stage(conversation, "connected")
        assert state.handover.agent.name == "Noah Vinter"
        assert await lines(at.stage, conversation, "agent") == []


async def test_what_is_sent_again_after_silence_is_the_same_event(shared_house: Stage) -> None:
    async with together(shared_house) as at:
        conversation, attempt = await at.connected()
        at.rig.crm.trouble.next("message.posted", Kind.LOST)
        await at.stage.say(conversation, "once")
        await at.stage.say(conversation, "twice")
        await until_equal(lambda: at.rig.heard(attempt), ["once", "twice"])
        await at.stage.frame(conversation, frame="end")
        await until(lambda: at.rig.is_over(attempt))
        told = ["handover.offered", "message.posted", "message.posted", "handover.released"]
        assert at.rig.crm.got == [(kind, attempt) for kind in told]


# A bot elsewhere --------------------------------------------------------------------------------------------------


@dataclass
class Bot:
    """A bot of another company: what it was told, in order; ``failures`` calls are answered with 503 first."""

    secret: str = ""
    failures: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    url: str = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        application = web.Application()
        application.router.add_post("/callback", self._callback)
        application.router.add_get("/transcript", self._transcript)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _callback(self, request: web.Request) -> web.Response:
        raw = await request.read()
        said = msgspec.json.decode(raw)
        assert verify([self.secret], request.headers, raw, now=SystemClock().now()) == said["id"]
        self.tries.append(said["id"])
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        self.told.append(said)
        return web.json_response({})

    async def _transcript(self, _request: web.Request) -> web.Response:
        return web.json_response(TRANSCRIPT)

    def heard(self) -> list[str]:
        """States and texts, shortly."""
        return [one["value"]["state"] if one["type"] == "event" else one["text"] for one in self.told]


TRANSCRIPT: dict[str, Any] = {
    "activities": [
        {"type": "conversationUpdate"},
        {"type": "message", "text": "How can I help?", "from": {"id": "bot-1", "name": "Otto"}},
        {"type": "message", "text": "My card is gone", "from": {"id": "u-7", "role": "user"}},
    ]
}


@dataclass
class Handing:
    """A stage, a bot elsewhere whose conversations go down the widget's ladder, and how it posts."""

    stage: Stage
    bot: Bot
    rig: OpenRig
    connection_id: str

    async def post(self, **activity: Any) -> tuple[int, dict[str, Any]]:
        """An activity of the conversation ``+45 1234``."""
        url = f"{self.stage.base}/api/v1/connections/{self.connection_id}/activities"
        headers = {"Authorization": f"Bearer {self.stage.v1_key}"}
        body = {"conversation": {"id": "+45 1234"}, **activity}
        async with self.stage.http.post(url, json=body, headers=headers) as reply:
            return reply.status, await reply.json()

    async def initiate(self, activity_id: str = "a-1") -> str:
        """What the documented SDK sends; our conversation."""
        status, answer = await self.post(**INITIATE | {"id": activity_id})
        assert status == 200, answer
        assert answer["id"] == activity_id
        found: str = answer["conversation_id"]
        self.stage.tokens.setdefault(found, "")
        return found


INITIATE: dict[str, Any] = {
    "type": "event",
    "name": "handoff.initiate",
    "timestamp": "2026-11-21T10:00:00Z",
    "channelId": "telegram",
    "serviceUrl": "https://bot.example/",
    "from": {"id": "bot-1", "name": "Otto"},
    "relatesTo": {"conversation": {"id": "+45 1234"}},
    "locale": "da-DK",
    "value": {"skill": "credit cards", "tries": 2, "nested": {"ignored": True}, "name": "Ana"},
    "attachments": [
        {"contentType": "image/png", "contentUrl": "https://bot.example/x.png"},
        {
            "name": "Transcript",
            "contentType": "application/json",
            "content": TRANSCRIPT,
        },
    ],
}


@contextlib.asynccontextmanager
async def handing(house: Stage) -> AsyncIterator[Handing]:
    async with together(house) as at:
        bot = Bot()
        assert house.crms is not None
        await house.crms.enter_async_context(bot.running())
        await set_ladder(at.stage, at.connection_id, '{"topic": "{{details.skill}}, {{details.tries}}"}')
        settings = {"url": bot.url, "ladder_of_widget": at.stage.widget_id}
        made = await at.stage.node.connections.create(
            SYSTEM, kind="open", name="Otto", settings=settings, bot_ids=[at.stage.bot_id]
        )
        bot.secret = made.secrets["signing_secret"]
        yield Handing(at.stage, bot, at.rig, made.connection.id)


async def test_a_bot_elsewhere_hands_over_and_gets_the_conversation_back(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        conversation = await at.initiate()
        attempt = await at.rig.until_waiting()
        assert "bot: How can I help?\nvisitor: My card is gone" in at.rig.context(attempt)
        assert "name: Ana" in at.rig.context(attempt)
        assert "topic: credit cards, 2" in at.rig.context(attempt)
        assert await at.initiate("a-2") == conversation
        status, _answer = await at.post(type="message", id="m-1", text="Hello?")
        assert status == 200
        await at.rig.joins(attempt)
        await until_equal(lambda: at.rig.heard(attempt), ["Hello?"])
        await at.post(type="message", id="m-1", text="Hello?")
        await at.post(type="message", id="m-2", text="It was stolen")
        await until_equal(lambda: at.rig.heard(attempt), ["Hello?", "It was stolen"])
        await at.post(type="typing")
        await until(lambda: at.rig.saw_typing(attempt))
        await at.rig.says(attempt, "I block it.")
        await at.rig.ends(attempt)
        await until_equal(at.bot.heard, ["accepted", "I block it.", "completed"])
        assert {one["conversation"]["id"] for one in at.bot.told} == {"+45 1234"}
        state = await at.stage.until(conversation, lambda s: s.status == "closed")
        assert state.external_id == "+45 1234"
        assert await lines(at.stage, conversation, "bot") == ["How can I help?"]
        status, answer = await at.post(type="message", id="m-3", text="Thanks")
        assert (status, answer["code"]) == (409, "closed")
        assert await at.initiate("a-1") == conversation
        assert (await at.stage.state(conversation)).status == "closed"
        again = await at.initiate("a-3")
        assert again != conversation
        await at.rig.until_waiting()


@pytest.mark.parametrize(("path", "there"), [("/transcript", True), ("/nothing", False)])
async def test_a_transcript_may_lie_elsewhere_and_does_not_hold_up_a_person(
    shared_house: Stage, path: str, there: bool
) -> None:
    async with handing(shared_house) as at:
        url = at.bot.url.replace("/callback", path)
        attachment = {"name": "Transcript", "contentType": "application/json", "contentUrl": url}
        status, _answer = await at.post(**INITIATE | {"attachments": [attachment]})
        assert status == 200
        attempt = await at.rig.until_waiting()
        assert ("My card is gone" in at.rig.context(attempt)) == there
        file = {"contentType": "image/png", "contentUrl": "https://bot.example/x.png", "name": "x.png"}
        status, _answer = await at.post(type="message", attachments=[file, {"contentUrl": "data:,x"}])
        assert status == 200
        await at.rig.joins(attempt)
        await until_equal(lambda: at.rig.heard(attempt), ["x.png: https://bot.example/x.png"])


async def test_a_bot_hears_in_order_and_again_until_it_has_heard(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        at.bot.failures = 2
        await at.initiate()
        attempt = await at.rig.until_waiting()
        await at.rig.joins(attempt)
        await at.rig.says(attempt, "one")
        await at.rig.says(attempt, "two")
        await at.rig.ends(attempt)
        await until_equal(at.bot.heard, ["accepted", "one", "two", "completed"])
        assert len(at.bot.tries) == 6
        assert len(set(at.bot.tries)) == 4


async def test_a_bot_is_told_when_nobody_comes(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        widget = await at.stage.node.widgets.read(at.stage.widget_id)
        await at.stage.node.widgets.update(msgspec.structs.replace(widget, ladder=widget.ladder[:1]), actor="test")
        conversation = await at.initiate()
        attempt = await at.rig.until_waiting()
        await at.stage.until_stage(conversation, "offered")
        await at.rig.declines(attempt)
        await until_equal(at.bot.heard, ["failed"])
        assert at.bot.told[0]["value"] == {"state": "failed", "message": "refused"}
        await at.stage.until(conversation, lambda s: s.status == "closed")


async def test_a_visitor_who_leaves_the_bot_is_taken_from_the_queue(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        await at.initiate()
        attempt = await at.rig.until_waiting()
        status, _answer = await at.post(type="endOfConversation")
        assert status == 200
        await until(lambda: at.rig.is_over(attempt))
        await until_equal(at.bot.heard, ["failed"])


async def test_a_connection_that_names_no_ladder_takes_no_handoff(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        connections = at.stage.node.connections
        await connections.update(SYSTEM, at.connection_id, settings={"ladder_of_widget": ""})
        status, answer = await at.post(**INITIATE)
        assert (status, answer["code"]) == (409, "no_ladder")
        await connections.disable(SYSTEM, at.connection_id)
        status, answer = await at.post(**INITIATE)
        assert (status, answer["code"]) == (409, "connection_disabled")


async def test_a_ladder_of_no_widget_is_refused_when_it_is_entered(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        address = f"{at.stage.base}/api/v1/connections"
        headers = {"Authorization": f"Bearer {at.stage.v1_key}"}
        for wrong in ("nope", str(uuid7()), "a\0b", 5):
            settings = {"url": at.bot.url, "ladder_of_widget": wrong}
            made = {"kind": "open", "name": "Otto", "settings": settings}
            for method, url, body in (
                ("POST", address, made),
                ("PATCH", f"{address}/{at.connection_id}", {"settings": settings}),
            ):
                async with at.stage.http.request(method, url, json=body, headers=headers) as reply:
                    problem = await reply.json()
                    assert (reply.status, problem.get("path")) == (400, "$.settings.ladder_of_widget"), problem
        assert at.stage.node.connections.get(at.connection_id).settings["ladder_of_widget"] == at.stage.widget_id


async def test_two_that_hand_over_at_once_mean_one_conversation(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        found = await asyncio.gather(*(at.initiate(f"a-{number}") for number in range(3)))
        assert len(set(found)) == 1
        events = await at.stage.events(found[0])
        assert [one.type for one in events].count("handover.requested") == 1


async def test_what_means_nothing_here_is_taken_and_changes_nothing(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        nothing: tuple[dict[str, Any], ...] = (
            {"type": "trace", "label": "Turn", "value": {"text": 5}},
            {"type": "conversationUpdate", "id": "u-1", "membersAdded": [{"id": "u-7"}], "conversation": None},
            {"type": "invoke", "id": 7, "attachments": "none"},
            {"type": "event", "name": "handoff.something"},
            {"type": "event"},
            {"type": "message", "text": None},
            {"type": "message", "text": " ", "attachments": [{"contentType": "application/vnd.card", "content": {}}]},
        )
        for known in (None, await at.initiate()):
            for activity in nothing:
                status, answer = await at.post(**activity)
                told = activity.get("id")
                assert (status, answer) == (200, {"id": told if told == "u-1" else "", "conversation_id": None})
            if known is not None:
                assert await lines(at.stage, known, "visitor") == ["My card is gone"]
        url = f"{at.stage.base}/api/v1/connections/{uuid7()}/activities"
        headers = {"Authorization": f"Bearer {at.stage.v1_key}"}
        async with at.stage.http.post(url, json={"type": "trace"}, headers=headers) as reply:
            assert reply.status == 404


async def test_what_is_no_handoff_is_refused_with_its_field(shared_house: Stage) -> None:
    async with handing(shared_house) as at:
        for activity, path in (
            ({}, "$.type"),
            ({"type": None}, "$.type"),
            ({"type": "message", "text": 5}, "$.text"),
            ({"type": "typing", "conversation": None}, "$.conversation"),
            ({"type": "endOfConversation", "conversation": {"id": ""}}, "$.conversation.id"),
            (INITIATE | {"attachments": [{"contentUrl": 5}]}, "$.attachments[0].contentUrl"),
            (
                INITIATE | {"attachments": [{"name": "Transcript", "content": {"lines": []}}]},
                "$.attachments[0].content",
            ),
        ):
            status, answer = await at.post(**activity)
            assert (status, answer["path"]) == (400, path), answer
        status, _answer = await at.post(type="message", text="to nobody")
        assert status == 404
        async with aiohttp.ClientSession() as stranger:
            url = f"{at.stage.base}/api/v1/connections/{at.connection_id}/activities"
            async with stranger.post(url, json=INITIATE) as reply:
                assert reply.status == 401
