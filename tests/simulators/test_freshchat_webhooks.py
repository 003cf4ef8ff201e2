"""Freshchat's one webhook as a receiver meets it: signature, repeats, and what it says of an agent's acts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.simulators.freshchat_account import FREE, actions, handed_over, is_signed, line, meeting, told

from warmline.simulators.freshchat import Assumptions, FreshchatSimulator
from warmline.simulators.script import Act, Script, Step, Switches

MESSAGE, ASSIGNMENT = "message_create", "conversation_assignment"


# ------------------------------------------------------------------------------------------------ signature
async def test_every_body_is_signed_whatever_it_says() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        user_id, one = await handed_over(vendor, me)
        await me.good("POST", f"/conversations/{one}/messages", line(user_id, "주문이 안 왔어요 👩🏽‍💻 ١٢٣"))
        await vendor.agent_says(one, "Bin schon dabei: „Straße“")
        await told(hook, MESSAGE, 3)
        assert all(is_signed(one, vendor.public_key) for one in hook.received)
        assert all(is_signed(one, vendor.public_key_line) for one in hook.received)
        assert "\n" not in vendor.public_key_line
        assert {one.headers["X-Freshchat-Payload-Version"] for one in hook.received} == {"1.0"}


async def test_a_signature_is_wrong_missing_or_of_a_new_key() -> None:
    async with meeting(script=Script(rate=None, webhooks=Switches(wrong_signature=True))) as (vendor, me, hook):
        _user, one = await handed_over(vendor, me)
        await told(hook, MESSAGE)
        assert not is_signed(hook.received[-1], vendor.public_key)
        vendor.webhooks.set(wrong_signature=False)
        old = vendor.public_key
        vendor.rotate_key()
        assert vendor.public_key != old
        await vendor.agent_says(one, "Hello")
        await told(hook, MESSAGE, 2)
        assert is_signed(hook.received[-1], vendor.public_key)
        assert not is_signed(hook.received[-1], old)
        vendor.unsigned = True
        await vendor.agent_says(one, "Who am I?")
        await told(hook, MESSAGE, 3)
        assert "X-Freshchat-Signature" not in hook.received[-1].headers


async def test_what_fails_comes_again_and_is_counted() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(rule_assigns_group=False)) as (vendor, me, hook):
        hook.statuses = [500, 503]
        await handed_over(vendor, me)
        await hook.until(lambda self: len(self.received) >= 3)
        assert [one.headers["X-Retry-Count"] for one in hook.received[:3]] == ["0", "1", "2"]
        assert len({one.body for one in hook.received[:3]}) == 1
        await vendor.webhooks.settled()
        await vendor.deliver_again(vendor.webhooks.log[0])
        assert hook.received[-1].headers["X-Retry-Count"] == "3"
        assert is_signed(hook.received[-1], vendor.public_key)


# ------------------------------------------------------------------------------------------- what it says
async def test_a_whole_conversation_is_told() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        user_id, one = await handed_over(vendor, me, assigned_group_id=vendor.groups[0].id)
        await vendor.agent_joins(one, vendor.agents[0])
        await vendor.agent_joins(one, vendor.agents[0])
        await vendor.agent_says(one, "Good day")
        await vendor.transfer_to_agent(one, vendor.agents[1])
        await vendor.transfer_to_group(one, vendor.groups[1])
        await vendor.agent_joins(one, vendor.agents[2])
        await vendor.unassign(one)
        await vendor.close(one)
        await me.good("POST", f"/conversations/{one}/messages", line(user_id, "Wait"))
        await told(hook, "conversation_reopen")
        assert [MESSAGE, *[ASSIGNMENT] * 3, MESSAGE, *[ASSIGNMENT] * 4, "conversation_resolution", MESSAGE] == actions(
            hook
        )[:-1]
        assigned = [each["data"]["assignment"] for each in await told(hook, ASSIGNMENT)]
        agents = ["", *(agent.id for agent in vendor.agents)]
        moves = [(agents.index(a["from_agent_id"]), agents.index(a["to_agent_id"])) for a in assigned]
        assert moves == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (0, 3), (3, 0)]
        assert assigned[4]["from_group_id"] == vendor.groups[0].id
        assert assigned[4]["to_group_id"] == vendor.groups[1].id
        assert assigned[1]["conversation"]["status"] == "assigned"
        (resolved,) = await told(hook, "conversation_resolution")
        assert resolved["actor"] == {"actor_type": "agent", "actor_id": vendor.agents[0].id}
        assert resolved["data"]["resolve"]["user"]["id"] == user_id
        (reopened,) = await told(hook, "conversation_reopen")
        assert reopened["data"]["reopen"]["reopener"] == "user"
        assert reopened["data"]["reopen"]["conversation"]["status"] == "reopened"


async def test_ones_own_lines_come_back_unless_that_is_off() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        user_id, one = await handed_over(vendor, me)
        (mine,) = await told(hook, MESSAGE)
        assert mine["actor"] == {"actor_type": "user", "actor_id": user_id}
        assert mine["data"]["message"]["conversation_id"] == one
        vendor.webhooks.set(echo=False)
        await me.good("POST", f"/conversations/{one}/messages", line(user_id, "Silent"))
        await vendor.agent_says(one, "Loud")
        texts = [m["data"]["message"]["message_parts"][0]["text"]["content"] for m in await told(hook, MESSAGE, 2)]
        assert texts == ["Where is my lamp?", "Loud"]


async def test_what_agents_send_besides_text() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        _user, one = await handed_over(vendor, me)
        await vendor.agent_says(one, "Angry customer", private=True)
        await vendor.agent_says(one, "The bot's summary", bots_note=True)
        await vendor.agent_says(one, "Which one?", choices=["Order", "Bill"])
        await vendor.agent_sends_unknown_part(one, text="Look")
        await vendor.agent_sends_sample(one, "picture")
        await vendor.agent_sends_file(one)
        note, summary, choices, unknown, picture, file = [
            each["data"]["message"] for each in (await told(hook, MESSAGE, 7))[1:]
        ]
        assert note["message_type"] == "private"
        assert (summary["message_type"], summary["botsPrivateNote"]) == ("normal", True)
        labels = [each["quick_reply_button"]["label"] for each in choices["reply_parts"][0]["collection"]["sub_parts"]]
        assert labels == ["Order", "Bill"]
        assert [next(iter(part)) for part in unknown["message_parts"]] == ["text", "template_content"]
        assert picture["message_parts"][1]["image"]["url"].startswith(vendor.url)
        assert set(file["message_parts"][0]["file"]) == {"name", "content_type", "file_size_in_bytes", "url"}


async def test_a_files_address_may_come_later() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(late_file_urls=True)) as (vendor, me, hook):
        _user, one = await handed_over(vendor, me)
        await vendor.agent_sends_file(one)
        late = (await told(hook, MESSAGE, 2))[1]["data"]["message"]
        assert "url" not in late["message_parts"][0]["file"]

        async def read() -> dict[str, Any]:
            return (await me.good("GET", f"/conversations/{one}/messages"))["messages"][0]["message_parts"][0]["file"]

        async with asyncio.timeout(10):
            while "url" not in await read():
                pass
        assert (await read())["url"].startswith(vendor.url)


async def test_what_old_accounts_samples_and_strangers_send() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(message_type_missing=True, ids="both")) as (
        vendor,
        me,
        hook,
    ):
        _user, one = await handed_over(vendor, me)
        foreign = await vendor.foreign_conversation()
        await vendor.send_old_payload(one)
        await vendor.send_unknown_event(one)
        await told(hook, "conversation_summarised")
        mine, theirs, old = [each["data"]["message"] for each in await told(hook, MESSAGE, 3)]
        assert "message_type" not in mine
        assert mine["freshchat_conversation_id"] == vendor.conversations[0].number
        assert theirs["conversation_id"] == foreign.id
        assert old["msg_parts"][0]["part_type"] == "text"


async def test_acts_without_an_event_and_the_users_own_end() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(rule_assigns_group=False)) as (vendor, me, hook):
        _user, one = await handed_over(vendor, me)
        await vendor.decline(one)
        await vendor.agent_types(one)
        await vendor.disappear(one)
        assert not vendor.agents[0].online
        assert (await me.good("GET", f"/agents/{vendor.agents[0].id}"))["availability_status"] == "UNAVAILABLE"
        await vendor.visitor_resolves(one)
        (resolved,) = await told(hook, "conversation_resolution")
        assert resolved["data"]["resolve"]["resolver"] == "user"
        await vendor.reopen(one)
        (reopened,) = await told(hook, "conversation_reopen")
        assert reopened["actor"]["actor_type"] == "agent"
        assert actions(hook) == [MESSAGE, "conversation_resolution", "conversation_reopen"]


@pytest.mark.parametrize(("acts_as", "actor"), [("system", "system"), ("agent", "agent")])
async def test_a_rule_assigns_a_group_and_the_api_acts_as_somebody(acts_as: Any, actor: str) -> None:
    async with meeting(script=FREE, assumptions=Assumptions(api_acts_as=acts_as)) as (vendor, me, hook):
        _user, one = await handed_over(vendor, me)
        (assigned,) = await told(hook, ASSIGNMENT)
        assert assigned["data"]["assignment"]["to_group_id"] == vendor.groups[0].id
        assert assigned["data"]["assignment"]["assignor"] == "system"
        await me.good("PUT", f"/conversations/{one}", {"status": "resolved"})
        (resolved,) = await told(hook, "conversation_resolution")
        assert resolved["actor"]["actor_type"] == actor


async def test_the_scripted_agent_plays_his_part() -> None:
    steps = (
        Step(act=Act.TYPES),
        Step(act=Act.DECLINES),
        Step(act=Act.JOINS, agent=1),
        Step(act=Act.SAYS, text="sample:emoji"),
        Step(act=Act.TO_AGENT, agent=2, after_visitor=True),
        Step(act=Act.TO_QUEUE, queue=1),
        Step(act=Act.JOINS, agent=2),
        Step(act=Act.SAYS, text="Here I am"),
        Step(act=Act.UNASSIGNS),
        Step(act=Act.CLOSES),
        Step(act=Act.DISAPPEARS),
    )
    async with meeting(script=Script(rate=None, steps=steps)) as (vendor, me, hook):
        user_id, one = await handed_over(vendor, me)
        await told(hook, MESSAGE, 2)
        await me.good("POST", f"/conversations/{one}/messages", line(user_id, "Hello"))
        await told(hook, "conversation_resolution")
        assert [m.text for m in vendor.conversations[0].messages if m.actor_type == "agent"][1] == "Here I am"


# ------------------------------------------------------------------------------------------------- the page
async def _act(vendor: FreshchatSimulator, me: Any, act: str, **fields: str) -> int:
    form = {"conversation": str(vendor.conversations[0].number), "act": act, **fields}
    async with me.session.post(f"{vendor.url}/simulator/act", data=form, allow_redirects=False) as answer:
        return int(answer.status)


async def test_a_conversation_played_on_the_page() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        await handed_over(vendor, me)
        assert await _act(vendor, me, "join", agent=vendor.agents[1].id) == 303
        assert await _act(vendor, me, "say", text="Hello from Noah") == 303
        assert await _act(vendor, me, "sample", sample="picture") == 303
        for act in ("note", "choices", "file", "unknown-part", "decline", "disappear", "unknown", "unassign"):
            assert await _act(vendor, me, act) == 303
        async with me.session.get(vendor.url) as answer:
            page = await answer.text()
        for text in ("Where is my lamp?", "Hello from Noah", "leaf.png", "Be kind", "Lamps", vendor.token):
            assert text in page
        assert await _act(vendor, me, "to-agent", agent=vendor.agents[2].id) == 303
        assert await _act(vendor, me, "to-group", group=vendor.groups[1].id) == 303
        assert await _act(vendor, me, "visitor-resolves") == 303
        assert await _act(vendor, me, "say", text="Too late") == 409
        assert await _act(vendor, me, "reopen") == 303
        assert await _act(vendor, me, "foreign") == 303
        assert await _act(vendor, me, "close") == 303
        await told(hook, "conversation_resolution", 2)
        assert await _act(vendor, me, "dance") == 409
        assert await _act(vendor, me, "join", conversation="nowhere") == 409
        vendor.board().subscribe("http://127.0.0.1:9/hook")
        assert vendor.board().targets() == ["http://127.0.0.1:9/hook"]
        async with me.session.post(f"{vendor.url}/simulator/target", data={"url": "ftp://x"}) as answer:
            assert answer.status == 409
