"""Gorgias' HTTP integrations as a receiver meets them: designed bodies, triggers, agents' acts, failures."""

from __future__ import annotations

from typing import Any

import pytest
from tests.simulators.gorgias_account import FREE, handed_over, line, meeting, of

from warmline.simulators.gorgias import Assumptions, GorgiasSimulator
from warmline.simulators.samples import SAMPLES
from warmline.simulators.script import Act, Script, Step, Switches, Waits

HTTP = {
    "method": "POST",
    "request_content_type": "application/json",
    "response_content_type": "application/json",
    "triggers": {"ticket-message-created": True, "ticket-updated": False},
}


def designed(address: str, **more: Any) -> dict[str, Any]:
    """An integration whose template is like the one in the vendor's example."""
    form = {
        "what": "message",
        "ticket": "{{ticket.id}}",
        "public": "{{message.public}}",
        "deep": ["{{ ticket.subject }}!"],
    }
    form |= {
        "to": "{{ticket.customer.email}}",
        "team": "{{ticket.assignee_team_id}}",
        "none": "{{message.nothing.at.all}}",
    }
    http = {**HTTP, "url": address, "headers": {"X-Handover-Secret": "s3cret"}, "form": form, **more}
    return {"name": "mine", "type": "http", "http": http}


async def test_a_template_is_filled_with_text() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        vendor.unsubscribe(vendor.integrations[0].id)
        made = await me.good("POST", "/integrations", designed(f"{hook.url}?t={{{{ticket.id}}}}"))
        assert (made["type"], made["deactivated_datetime"]) == ("http", None)
        number = await handed_over(me)
        await vendor.webhooks.settled()
        assert [one.json["public"] for one in hook.received] == ["True", "True"]
        assert hook.received[0].headers["X-Handover-Secret"] == "s3cret"
        assert hook.received[0].json == {
            "what": "message",
            "ticket": str(number),
            "public": "True",
            "deep": ["A lamp!"],
            "to": "kim@example.com",
            "team": "None",
            "none": "",
        }
        assert vendor.webhooks.log[0].url.endswith(f"?t={number}")


async def test_a_template_may_keep_types_or_write_nothing() -> None:
    reading = Assumptions(values_are_text=False, nothing_is="")
    async with meeting(script=FREE, assumptions=reading) as (vendor, me, hook):
        vendor.unsubscribe(vendor.integrations[0].id)
        await me.good("POST", "/integrations", designed(hook.url))
        number = await handed_over(me)
        await vendor.webhooks.settled()
        assert (hook.received[0].json["ticket"], hook.received[0].json["public"]) == (number, True)
        assert (hook.received[0].json["team"], hook.received[0].json["deep"]) == (None, ["A lamp!"])


async def test_a_form_may_be_urlencoded_or_the_whole_context() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(me)
        await of(hook, 2)
        shown = hook.received[0].json
        assert (shown["ticket"]["id"], shown["ticket"]["assignee_user_id"]) == (number, None)
        for one in vendor.integrations:
            await me.good("DELETE", f"/integrations/{one.id}")
        form = {"request_content_type": "application/x-www-form-urlencoded"}
        await me.good("POST", "/integrations", designed(hook.url, **form, form={"id": "{{ticket.id}}", "a": "b c"}))
        await vendor.webhooks.settled()
        hook.received.clear()
        await me.good("POST", f"/tickets/{number}/messages", line("More"))
        await vendor.webhooks.settled()
        assert [one.body for one in hook.received] == [f"id={number}&a=b+c".encode()]
        assert hook.received[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "change", [{"url": "ftp://x"}, {"triggers": {"ticket-exploded": True}}, {"method": "SHOUT"}, {"surprise": 1}]
)
async def test_a_wrong_integration_is_refused(change: dict[str, Any]) -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        assert (await me.ask("POST", "/integrations", designed(hook.url, **change)))[0] == 400
        assert len(vendor.integrations) == 1


async def test_triggers_are_spelled_as_the_account_reads_them() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(triggers="dashes", more_triggers=False)) as (_, me, hook):
        for name, status in (
            ("ticket_message_created", 400),
            ("ticket-status-updated", 400),
            ("ticket-message-failed", 201),
        ):
            assert (await me.ask("POST", "/integrations", designed(hook.url, triggers={name: True})))[0] == status


# ---------------------------------------------------------------------------------------------- the acts
async def test_an_agents_answer_assigns_the_ticket_and_arrives_in_two_forms() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(me)
        await of(hook, 2)
        await vendor.agent_says(number, "Hello")
        (said,) = (await of(hook, 1, via="helpdesk"))[:1]
        assert said["ticket"]["assignee_user_id"] == vendor.agents[0].id
        message = said["message"]
        assert (message["stripped_text"], message["sender"]["name"]) == ("Hello", "Ines Duarte")
        assert message["body_text"].startswith("Hello\n\n-- \nInes")
        assert (message["from_agent"], message["public"], message["channel"]) == (True, True, "api")
        await vendor.agent_notes(number, "Psst")
        (note,) = (await of(hook, 1, channel="internal-note"))[:1]
        assert (note["message"]["public"], note["message"]["from_agent"]) == (False, True)


@pytest.mark.parametrize(("late", "seen"), [(False, True), (True, False)])
async def test_the_assignment_may_come_after_the_answer(late: bool, seen: bool) -> None:
    reading = Assumptions(assignment_after_reply=late, stripped_bodies=False)
    async with meeting(script=FREE, assumptions=reading) as (vendor, me, hook):
        number = await handed_over(me)
        await vendor.agent_says(number, "Hello", html="<p>Hello</p>")
        (said,) = (await of(hook, 1, via="helpdesk"))[:1]
        assert (said["ticket"]["assignee_user_id"] is not None) is seen
        assert (said["message"]["stripped_text"], said["message"]["body_html"][:12]) == (None, "<p>Hello</p>")
        await hook.until(lambda hook: hook.received[-1].json["ticket"]["assignee_user_id"] == vendor.agents[0].id)


async def test_assignments_and_status_are_told() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        vendor.unsubscribe(vendor.integrations[0].id)
        form = {"who": "{{ticket.assignee_user_id}}", "team": "{{ticket.assignee_team_id}}", "is": "{{ticket.status}}"}
        vendor.subscribe(hook.url, ["ticket-updated"], form=form)
        number = await handed_over(me)
        await vendor.agent_joins(number)
        await vendor.transfer_to_agent(number, vendor.agents[1])
        await vendor.transfer_to_team(number, vendor.teams[2])
        await vendor.agent_joins(number, vendor.agents[2])
        await vendor.unassign(number)
        await vendor.decline(number)
        await vendor.agent_joins(number)
        await vendor.disappear(number)
        await vendor.close(number)
        await vendor.reopen(number)
        await vendor.webhooks.settled()
        assert [(one.json["who"], one.json["team"], one.json["is"]) for one in hook.received] == [
            ("11", "None", "open"),
            ("12", "None", "open"),
            ("12", "23", "open"),
            ("None", "23", "open"),
            ("13", "23", "open"),
            ("None", "23", "open"),
            ("11", "23", "open"),
            ("11", "23", "closed"),
            ("11", "23", "open"),
        ]
        assert not vendor.agents[0].online


async def test_a_message_that_cannot_be_sent_is_told() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        number = await handed_over(me)
        said = await vendor.agent_says(number, "Hello")
        await vendor.fail_last(number)
        (told,) = await vendor.webhooks.wait("ticket-message-failed")
        assert told.json["message"]["id"] == said.id
        assert told.json["message"]["failed_datetime"]
        assert told.json["message"]["last_sending_error"] == {"error": "The message could not be sent."}
        assert len(hook.received) > 0


async def test_a_deactivated_integration_is_silent_until_it_is_switched_on() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        one = vendor.integrations[0].id
        vendor.deactivate(one)
        number = await handed_over(me)
        assert (await me.good("GET", f"/integrations/{one}"))["deactivated_datetime"]
        assert vendor.webhooks.log == []
        await me.good("PUT", f"/integrations/{one}", {"deactivated_datetime": None, "name": "on again"})
        await vendor.agent_says(number, "Heard")
        await of(hook, 1, via="helpdesk")
        assert [each["name"] for each in (await me.good("GET", "/integrations"))["data"]] == ["on again"]


async def test_an_integration_that_keeps_failing_may_be_deactivated() -> None:
    script = Script(rate=None, waits=Waits(retry_ms=(1,)))
    async with meeting(script=script, assumptions=Assumptions(deactivated_after=2)) as (vendor, me, hook):
        hook.statuses = [500] * 50
        await handed_over(me)
        await vendor.webhooks.settled()
        assert {len(one.attempts) for one in vendor.webhooks.log} == {2}
        assert (await me.good("GET", "/integrations"))["data"][0]["deactivated_datetime"]


async def test_a_failed_webhook_may_never_come_again() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(webhooks_repeat=False)) as (vendor, me, hook):
        hook.statuses = [500]
        await handed_over(me)
        await vendor.webhooks.settled()
        assert [one.state for one in vendor.webhooks.log] == ["failed", "delivered", "delivered"]
        await vendor.deliver_again(vendor.webhooks.log[0])
        assert vendor.webhooks.log[0].state == "delivered"


async def test_switches_change_what_arrives() -> None:
    async with meeting(script=Script(rate=None, webhooks=Switches(echo=False))) as (vendor, me, hook):
        number = await handed_over(me)
        assert vendor.webhooks.log == []
        vendor.webhooks.set(wrong_signature=True, unknown_events=True)
        await vendor.agent_says(number, "Hello")
        await of(hook, 1, via="helpdesk")
        assert {one.headers["X-Handover-Secret"] for one in hook.received} == {"forged"}
        assert hook.received[0].json == {"surprise": True}


async def test_a_script_plays_the_agent() -> None:
    steps = (
        Step(act=Act.JOINS),
        Step(act=Act.TYPES),
        *(Step(act=Act.SAYS, text=f"sample:{name}") for name in ("emoji", "html", "picture")),
        Step(act=Act.TO_AGENT, agent=1),
        Step(act=Act.SAYS, text="Goodbye", after_visitor=True),
        Step(act=Act.CLOSES),
    )
    async with meeting(script=Script(rate=None, steps=steps)) as (vendor, me, _hook):
        number = await handed_over(me)
        one = vendor.conversations[0]
        await vendor.changes.until(lambda: one.assignee_user_id == vendor.agents[1].id)
        await me.good("POST", f"/tickets/{number}/messages", line("Thanks"))
        await vendor.changes.until(lambda: one.status == "closed")
        said = [each for each in one.messages if each.via == "helpdesk"]
        assert [each.stripped_text for each in said] == [*(SAMPLES[n] for n in ("emoji", "html", "picture")), "Goodbye"]
        assert (said[1].body_html or "").startswith(SAMPLES["html"])
        assert said[2].attachments[0].name == "leaf.png"


# ---------------------------------------------------------------------------------------------- the page
async def post(vendor: GorgiasSimulator, me: Any, **fields: str) -> int:
    async with me.session.post(f"{vendor.url}/simulator/act", data=fields, allow_redirects=False) as answer:
        status: int = answer.status
        return status


async def test_the_page_shows_tickets_and_does_what_an_agent_does() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        number = str(await handed_over(me, meta={"page": "/lamps"}))
        assert await post(vendor, me, act="fail", conversation=str(number)) == 303
        for act in ("join", "say", "sample", "note", "unassign", "to-agent", "to-team", "join", "disappear", "unknown"):
            fields = {"text": "Hello", "sample": "picture", "agent": "12", "team": "22", "conversation": number}
            assert await post(vendor, me, act=act, **fields) == 303, act
        for act in ("close", "reopen"):
            assert await post(vendor, me, act=act, conversation=number) == 303
        for wrong in (
            {"act": "explode", "conversation": number},
            {"act": "close"},
            {"act": "close", "conversation": "7"},
        ):
            assert await post(vendor, me, **wrong) == 409
        async with me.session.get(f"{vendor.url}/") as answer:
            page = await answer.text()
        for text in (
            "Where is my lamp?",
            "For colleagues only.",
            "Otto Falk, gone",
            "leaf.png",
            "/lamps",
            vendor.token,
        ):
            assert text in page, text
        async with me.session.post(f"{vendor.url}/simulator/target", data={"url": "http://127.0.0.1:1/"}) as answer:
            assert answer.status == 200
        (one,) = vendor.integrations
        assert (one.http.url, one.http.form) == ("http://127.0.0.1:1/", "{{context}}")
        await me.good("POST", "/integrations", designed("http://127.0.0.1:2/"))
        async with me.session.post(f"{vendor.url}/simulator/target", data={"url": "http://127.0.0.1:3/"}) as answer:
            assert answer.status == 200
        (one,) = vendor.integrations
        assert (one.http.url, one.name) == ("http://127.0.0.1:3/", "mine"), "the newest one keeps its template"
        async with me.session.post(f"{vendor.url}/simulator/target", data={"url": "ftp://x"}) as answer:
            assert answer.status == 409
