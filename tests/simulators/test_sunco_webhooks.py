"""Webhooks, switchboard and tickets of Sunshine Conversations, as a receiver meets them."""

from __future__ import annotations

import pytest
from tests.simulators.receiver import Stranger, receiving
from tests.simulators.sunco_account import (
    by_business,
    by_user,
    calling,
    conversation,
    events,
    handed_over,
    meeting,
    names,
    told,
)

from warmline.simulators.samples import SAMPLES
from warmline.simulators.script import Act, Script, Step, Switches
from warmline.simulators.sunco import Assumptions, SuncoSimulator

MESSAGE, PASSED, RELEASED = "conversation:message", "switchboard:passControl", "switchboard:releaseControl"


async def _control(me: Stranger, one: str, what: str, to: str = "", **metadata: str) -> int:
    body = {**({"switchboardIntegration": to} if to else {}), **({"metadata": metadata} if metadata else {})}
    return (await me.ask("POST", f"/conversations/{one}/{what}", body))[0]


# ------------------------------------------------------------------------------------------ what they say
async def test_a_whole_handover_is_told() -> None:
    async with meeting() as (vendor, me, hook):
        one = await handed_over(me, **{"dataCapture.systemField.tags": "vip,lamps"})
        waiting = await vendor.waiting()
        assert waiting.ticket is not None
        assert (waiting.id, waiting.ticket.tags) == (one, ("vip", "lamps"))
        await vendor.agent_joins(one)
        said = await vendor.agent_says(one, "Hello Kim", html="<p>Hello <b>Kim</b></p>")
        await me.good("POST", f"/conversations/{one}/messages", by_user("Hi", metadata={"id": "m-1"}))
        await vendor.transfer_to_agent(one, vendor.agents[1])
        await vendor.agent_says(one, "I am Noah")
        await vendor.solve(one)
        await vendor.close(one)
        released = (await told(hook, RELEASED))[0]
        await vendor.webhooks.settled()
        assert names(hook) == [
            "conversation:create",
            PASSED,
            MESSAGE,
            MESSAGE,
            PASSED,
            "switchboard:offerControl",
            MESSAGE,
            MESSAGE,
            MESSAGE,
            RELEASED,
        ]
        assert {one.headers["X-API-Key"] for one in hook.received} == {vendor.secret}
        assert {event["payload"]["conversation"]["id"] for event in events(hook)} == {one}
        assert (released["reason"], released["conversation"].get("activeSwitchboardIntegration")) == (
            "ticketClosed",
            None,
        )
        first = hook.received[0].json
        assert first["app"] == {"id": vendor.account.app_id}
        assert first["webhook"] == {"id": vendor.subscriptions[0].id, "version": "v2"}
        passed = (await told(hook, PASSED, 2))[1]
        assert passed["conversation"]["activeSwitchboardIntegration"]["integrationType"] == "zd:agentWorkspace"
        assert passed["metadata"] == {"dataCapture.systemField.tags": "vip,lamps"}
        lines = [payload["message"] for payload in await told(hook, MESSAGE, 5)]
        assert lines[2]["id"] == said.id
        assert lines[2]["author"] == {
            "type": "business",
            "displayName": "Astrid Holm",
            "avatarUrl": vendor.agents[0].avatar_url,
        }
        assert lines[2]["content"] == {"type": "text", "text": "Hello Kim", "htmlText": "<p>Hello <b>Kim</b></p>"}
        assert lines[2]["source"] == {"type": "zd:agentWorkspace"}
        assert lines[2]["metadata"] == {"__zendesk_msg.agent.id": vendor.agents[0].id}
        assert (lines[3]["metadata"], lines[3]["source"]["type"]) == ({"id": "m-1"}, "api:conversations")
        assert lines[3]["author"]["user"] == {
            "id": lines[3]["author"]["userId"],
            "authenticated": False,
            "externalId": "kim-1",
        }
        assert lines[4]["author"]["displayName"] == "Noah Vinter"


async def test_agents_see_the_last_ten_or_from_the_message_that_was_named() -> None:
    async with meeting() as (vendor, me, _hook):
        seen = []
        for named in (False, True):
            one = await conversation(me)
            await _control(me, one, "passControl", "warmline")
            made = [
                await me.good("POST", f"/conversations/{one}/messages", by_business(str(number)))
                for number in range(12)
            ]
            metadata = {"first_message_id": made[0]["messages"][0]["id"]} if named else {}
            await _control(me, one, "passControl", "zd-agentWorkspace", **metadata)
            seen.append([line.content["text"] for line in (await vendor.waiting()).seen])
        assert seen == [[str(number) for number in range(2, 12)], [str(number) for number in range(12)]]


async def test_several_conversations_may_be_told_of_in_one_request() -> None:
    async with meeting(assumptions=Assumptions(batch_events=True)) as (vendor, me, hook):
        first, second = await handed_over(me), await handed_over(me)
        await told(hook, "switchboard:offerControl", 2)
        vendor.webhooks.set(duplicates=1)
        await vendor.agent_says(first, "To the first")
        await vendor.agent_says(second, "To the second")
        await hook.until(lambda self: names(self).count(MESSAGE) >= 8)
        batch, again = hook.received[-2:]
        assert batch.body == again.body
        assert [event["payload"]["conversation"]["id"] for event in batch.json["events"]] == [first, second]
        assert len({event["id"] for event in batch.json["events"]}) == 2


async def test_standby_hears_only_what_it_asked_for() -> None:
    async with meeting() as (vendor, me, hook):
        line = vendor.account.line_of(vendor.account.own.id)
        assert line is not None
        line.deliver_standby_events = False
        one = await conversation(me)
        await me.good("POST", f"/conversations/{one}/messages", by_user("I stand by"))
        await _control(me, one, "offerControl", "warmline")
        await me.good("POST", f"/conversations/{one}/messages", by_user("I am pending"))
        await _control(me, one, "passControl", "zd-answerBot")
        await me.good("POST", f"/conversations/{one}/messages", by_user("I stand by again"))
        await vendor.webhooks.settled()
        assert names(hook) == ["switchboard:offerControl", MESSAGE, PASSED]
        vendor.account.switchboard.enabled = False
        await me.good("POST", f"/conversations/{one}/messages", by_user("There is no switchboard"))
        assert len(await told(hook, MESSAGE, 2)) == 2


async def test_who_hears_of_control_on_standby_is_a_switch() -> None:
    async with meeting(assumptions=Assumptions(standby_hears_control=False)) as (vendor, me, hook):
        one = await conversation(me)
        await _control(me, one, "passControl", "zd-answerBot")
        await me.good("POST", f"/conversations/{one}/messages", by_user("Hello"))
        await told(hook, MESSAGE)
        await vendor.webhooks.settled()
        assert names(hook) == ["conversation:create", MESSAGE]


# --------------------------------------------------------------------------------------------- switchboard
async def test_control_is_passed_by_id_name_type_and_next() -> None:
    async with SuncoSimulator.running() as vendor, calling(vendor) as me:
        one = await conversation(me)
        lines = {line.name: line for line in vendor.account.switchboard.lines.values()}
        found = vendor.conversations[0]
        for given, name in (
            (lines["zd-answerBot"].id, "zd-answerBot"),
            ("warmline", "warmline"),
            ("next", "zd-agentWorkspace"),
            ("custom", "warmline"),
        ):
            assert await _control(me, one, "passControl", given) == 200
            assert found.active == lines[name].id
        assert await _control(me, one, "passControl", "nobody") == 404
        assert await _control(me, one, "passControl", "zd-answerBot") == 200
        assert await _control(me, one, "passControl", "next") == 400
        assert await _control(me, one, "passControl") == 400
        assert await _control(me, one, "offerControl", "zd-answerBot") == 400
        assert await _control(me, one, "offerControl", "warmline") == 200
        assert await _control(me, one, "acceptControl") == 200
        assert (found.active, found.pending) == (lines["warmline"].id, None)
        lines["zd-answerBot"].integration_type = "custom"
        assert await _control(me, one, "passControl", "custom") == 400


async def test_a_repeated_next_is_disregarded_for_whom_it_knows() -> None:
    async with SuncoSimulator.running(scope="integration") as vendor, calling(vendor) as me:
        one = await conversation(me)
        await _control(me, one, "passControl", "warmline")
        await me.good("POST", f"/conversations/{one}/messages", by_user("Hello"))
        for tags in ("first", "second"):
            assert await _control(me, one, "passControl", "next", **{"dataCapture.systemField.tags": tags}) == 200
        ticket = vendor.conversations[0].ticket
        assert ticket is not None
        assert ticket.tags == ("first",)


@pytest.mark.parametrize(("tells", "passes"), [(False, 1), (True, 2)])
async def test_a_repeated_pass_does_no_harm(tells: bool, passes: int) -> None:
    async with meeting(assumptions=Assumptions(repeated_pass_tells=tells)) as (vendor, me, hook):
        one = await handed_over(me)
        assert await _control(me, one, "passControl", "zd-agentWorkspace") == 200
        await vendor.webhooks.settled()
        assert names(hook).count(PASSED) == 1 + passes


async def test_a_pass_may_fail_after_a_good_answer() -> None:
    async with meeting() as (vendor, me, hook):
        one = await conversation(me)
        vendor.next_pass_fails("the integration is gone")
        assert await _control(me, one, "passControl", "zd-agentWorkspace", a="b") == 200
        failed = (await told(hook, f"{PASSED}:failure"))[0]
        assert failed["error"]["message"] == "the integration is gone"
        assert failed["metadata"] == {"a": "b"}
        assert await _control(me, one, "acceptControl") == 200
        await told(hook, "switchboard:acceptControl:failure")


@pytest.mark.parametrize("reading", ["no ticket", "failure"])
async def test_a_pass_before_anything_was_said(reading: str) -> None:
    assumptions = Assumptions(pass_without_messages=reading)  # type: ignore[arg-type]
    async with meeting(assumptions=assumptions) as (vendor, me, hook):
        one = await conversation(me)
        await _control(me, one, "passControl", "warmline")
        tags = {"dataCapture.systemField.tags": "vip"}
        await _control(me, one, "passControl", "zd-agentWorkspace", **tags)
        if reading == "failure":
            await told(hook, f"{PASSED}:failure")
            return
        assert vendor.conversations[0].ticket is None
        await me.good("POST", f"/conversations/{one}/messages", by_user("Hello"))
        ticket = (await vendor.waiting()).ticket
        assert ticket is not None
        assert ticket.tags == ()  # the metadata came too early


# ------------------------------------------------------------------------------------------------ endings
async def test_the_visitor_leaves_and_a_new_message_begins_anew() -> None:
    async with meeting() as (vendor, me, hook):
        one = await handed_over(me)
        await vendor.agent_joins(one)
        assert await _control(me, one, "releaseControl", "", a="b") == 200
        assert (await told(hook, RELEASED))[0]["metadata"] == {"a": "b"}
        assert not vendor.conversations[0].waiting
        await me.good("POST", f"/conversations/{one}/messages", by_user("Still there?"))
        assert vendor.conversations[0].active == vendor.account.switchboard.default_id


async def test_after_a_release_it_may_be_nobodys() -> None:
    async with meeting(assumptions=Assumptions(after_release="nobody")) as (vendor, me, _hook):
        one = await handed_over(me)
        await vendor.close(one)
        await me.good("POST", f"/conversations/{one}/messages", by_user("Still there?"))
        assert vendor.conversations[0].active is None


@pytest.mark.parametrize("form", ["told", "stored", "none"])
async def test_an_end_leaves_a_message_or_none(form: str) -> None:
    async with meeting(assumptions=Assumptions(closed_message=form)) as (vendor, me, hook):  # type: ignore[arg-type]
        one = await handed_over(me)
        await vendor.transfer_to_email(one)
        assert (await told(hook, RELEASED))[0]["reason"] == "transferToEmail"
        stored = (await me.good("GET", f"/conversations/{one}/messages"))["messages"]
        activities = [line["activity"]["type"] for line in stored if "activity" in line]
        assert activities == ([] if form == "none" else ["ticket:transfer:email"])
        heard = [payload["message"] for payload in await told(hook, MESSAGE, 2)]
        assert len([line for line in heard if "activity" in line]) == (1 if form == "told" else 0)


async def test_whoever_is_next_after_agents_gets_control() -> None:
    async with meeting() as (vendor, me, hook):
        agents, ours = (
            next(line for line in vendor.account.switchboard.lines.values() if line.name == name)
            for name in ("zd-agentWorkspace", "warmline")
        )
        agents.next_id = ours.id
        one = await handed_over(me)
        await vendor.close(one)
        passed = (await told(hook, PASSED, 3))[2]
        assert (passed["reason"], passed["conversation"]["activeSwitchboardIntegration"]["name"]) == (
            "ticketClosed",
            "warmline",
        )


# ------------------------------------------------------------------------------------------------- habits
async def test_what_is_not_to_be_tried_again_is_not() -> None:
    async with meeting() as (vendor, me, hook):
        hook.statuses = [404, 503, 503, 401]
        await conversation(me)
        await vendor.changes.until(lambda: vendor.webhooks.log[0].state == "failed")
        assert [one.status for one in vendor.webhooks.log[0].attempts] == [404]
        await conversation(me)
        await vendor.changes.until(lambda: vendor.webhooks.log[1].state == "failed")
        assert [one.status for one in vendor.webhooks.log[1].attempts] == [503, 503, 401]


async def test_five_attempts_are_made() -> None:
    async with meeting() as (vendor, me, hook):
        hook.statuses = [503] * 5
        await conversation(me)
        await vendor.webhooks.settled()
        assert [len(one.attempts) for one in vendor.webhooks.log] == [5]
        assert len({one.json["events"][0]["id"] for one in hook.received}) == 1


async def test_wrong_secret_unknown_events_and_no_echo() -> None:
    script = Script(webhooks=Switches(wrong_signature=True, unknown_events=True, echo=False))
    async with meeting(script=script) as (vendor, me, hook):
        one = await handed_over(me)
        await vendor.agent_says(one, "Hello")
        said = await told(hook, MESSAGE)
        assert [payload["message"]["content"]["text"] for payload in said] == ["Hello"]
        assert "conversation:summary" in names(hook)
        assert vendor.secret not in {one.headers["X-API-Key"] for one in hook.received}
        delivery = vendor.webhooks.log[-1]
        await vendor.deliver_again(delivery)
        assert hook.received[-1].json == delivery.json


@pytest.mark.parametrize("told_of", [False, True])
async def test_an_agents_typing_is_doubtful(told_of: bool) -> None:
    async with meeting(assumptions=Assumptions(agent_typing=told_of)) as (vendor, me, hook):
        one = await handed_over(me)
        await vendor.agent_types(one)
        await vendor.agent_says(one, "Hello")
        await told(hook, MESSAGE, 3)
        assert names(hook).count("conversation:typing") == int(told_of)


async def test_samples_bots_and_failed_messages() -> None:
    async with meeting() as (vendor, me, hook):
        one = await handed_over(me)
        await vendor.agent_joins(one)
        for name in SAMPLES:
            await vendor.agent_sends_sample(one, name)
        bot = await vendor.bot_says(one, "An agent will be with you shortly.")
        await vendor.message_fails(one, bot)
        failed = (await told(hook, "conversation:message:delivery:failure"))[0]
        assert (failed["message"]["id"], failed["isFinalEvent"]) == (bot.id, True)
        said = [payload["message"] for payload in await told(hook, MESSAGE, 2 + 4 + 3 + 1)][2:]
        assert [line["content"]["type"] for line in said] == ["text"] * 6 + ["image", "text"]
        assert "".join(line["content"]["text"] for line in said[3:6]) == SAMPLES["long"]
        assert said[2]["content"]["htmlText"] == SAMPLES["html"]
        assert said[-1]["source"]["type"] == "zd:answerBot"
        async with me.session.get(said[6]["content"]["mediaUrl"]) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")


async def test_the_scripted_agent_plays() -> None:
    steps = (
        Step(act=Act.JOINS),
        Step(act=Act.SAYS, text="Hello"),
        Step(act=Act.TO_AGENT, agent=1, after_visitor=True),
        Step(act=Act.SAYS, text="sample:emoji"),
        Step(act=Act.CLOSES),
    )
    async with meeting(script=Script(steps=steps)) as (_vendor, me, hook):
        one = await handed_over(me)
        await told(hook, MESSAGE, 3)
        await me.good("POST", f"/conversations/{one}/messages", by_user("Hi"))
        await told(hook, RELEASED)
        said = [payload["message"]["content"]["text"] for payload in await told(hook, MESSAGE, 5)]
        assert said[2:] == ["Hello", "Hi", SAMPLES["emoji"]]


async def test_the_page_lets_somebody_be_the_agent() -> None:
    async with meeting() as (vendor, me, hook):
        one = await handed_over(me, **{"dataCapture.systemField.tags": "vip"})

        async def act(name: str, **fields: str) -> int:
            form = {"conversation": one, "act": name, **fields}
            async with me.session.post(f"{vendor.url}/simulator/act", data=form, allow_redirects=False) as answer:
                return answer.status

        for name in ("join", "type", "bot", "unassign", "decline", "to-group", "to-agent", "disappear", "solve"):
            assert await act(name, agent=vendor.agents[1].id, group=vendor.groups[1].id) == 303
        assert await act("say", text="Hello from the page") == 303
        assert await act("sample", sample="picture") == 303
        assert await act("unknown") == 303
        async with me.session.get(f"{vendor.url}/") as answer:
            page = await answer.text()
        for text in ("Where is my lamp?", "Hello from the page", "leaf.png", "vip", "Billing", vendor.key.secret):
            assert text in page
        assert await act("close") == 303
        assert await act("say", text="Too late") == 409
        assert await act("dance") == 409
        await told(hook, RELEASED)
        async with receiving() as other:
            vendor.board().subscribe(other.url)
            assert vendor.board().targets() == [other.url]
