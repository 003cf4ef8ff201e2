"""The event stream of the simulated Salesforce: what it tells, in which order, and how it breaks and goes on."""

from __future__ import annotations

import asyncio

import pytest
from tests.simulators.salesforce_account import FREE, meeting, visiting

from warmline.simulators.salesforce import Assumptions, SalesforceSimulator
from warmline.simulators.script import Act, Script, Step


async def test_a_handover_is_told_from_routing_to_the_end() -> None:
    async with meeting() as (vendor, one):
        await one.begin(_firstName="Kim")
        waiting = await vendor.waiting()
        assert (await one.hear("CONVERSATION_QUEUE_POSITION"))[0]["position"] == 1
        await vendor.agent_joins(waiting.id)
        await one.say("Where is my lamp?")
        await vendor.agent_types(waiting.id)
        await vendor.agent_says(waiting.id, "On its way")
        await vendor.close(waiting.id)
        ends = await one.hear("CONVERSATION_SESSION_STATUS_CHANGED", 3)
        assert one.names == [
            "ROUTING_RESULT",
            "SESSION_STATUS_CHANGED",
            "QUEUE_POSITION",
            "ROUTING_WORK_RESULT",
            "ROUTING_WORK_RESULT",
            "SESSION_STATUS_CHANGED",
            "PARTICIPANT_CHANGED",
            "MESSAGE",
            "DELIVERY_ACKNOWLEDGEMENT",
            "TYPING_STARTED_INDICATOR",
            "MESSAGE",
            "ROUTING_WORK_RESULT",
            "PARTICIPANT_CHANGED",
            "SESSION_STATUS_CHANGED",
        ]
        assert [(end["sessionStatusPrev"], end["sessionStatus"]) for end in ends] == [
            ("New", "Waiting"),
            ("Waiting", "Active"),
            ("Active", "Ended"),
        ]
        assert ends[2]["sessionEndedByRole"] == "Agent"
        assert one.payloads("CONVERSATION_ROUTING_RESULT")[0]["failureType"] == "None"
        joined, left = one.payloads("CONVERSATION_PARTICIPANT_CHANGED")
        assert (joined["entries"][0]["operation"], joined["entries"][0]["displayName"]) == ("add", "Astrid Holm")
        assert left["entries"][0]["operation"] == "remove"
        whole = dict(one.told)["CONVERSATION_MESSAGE"]  # the last of that name
        assert (whole["channelType"], whole["conversationId"]) == ("embedded_messaging", waiting.id)
        assert whole["conversationEntry"]["sender"]["role"] == "Agent"
        said = one.payloads("CONVERSATION_MESSAGE")[1]["abstractMessage"]["staticContent"]
        assert said == {"formatType": "Text", "text": "On its way"}
        assert one.ids == sorted(set(one.ids))


async def test_own_messages_come_back_as_the_end_users() -> None:
    async with meeting() as (vendor, one):
        await one.begin()
        status, answer = await one.say("Hello", "3f0e7a44-9f5e-4b8e-9d3c-0a9b7c1d2e3f")
        assert (status, answer["conversationEntries"][0]["id"]) == (202, "3f0e7a44-9f5e-4b8e-9d3c-0a9b7c1d2e3f")
        await one.hear("CONVERSATION_MESSAGE")
        entry = dict(one.told)["CONVERSATION_MESSAGE"]["conversationEntry"]
        assert (entry["sender"]["role"], entry["identifier"]) == ("EndUser", "3f0e7a44-9f5e-4b8e-9d3c-0a9b7c1d2e3f")
        vendor.webhooks.set(echo=False)
        await one.say("Silent")
        await vendor.agent_says(one.conversation, "Hi", role="System")
        assert len(await one.hear("CONVERSATION_MESSAGE", 2)) == 2


async def test_a_stream_goes_on_after_the_last_event_id() -> None:
    async with SalesforceSimulator.running(script=FREE) as vendor, visiting(vendor) as one:
        async with one.listening() as reader:
            await one.begin()
            await vendor.waiting()
            await one.hear("CONVERSATION_QUEUE_POSITION")
            await vendor.drop_stream(one.conversation)
            await asyncio.wait([reader], timeout=10)
            assert reader.done()
        await vendor.agent_joins(one.conversation)
        await vendor.agent_says(one.conversation, "Missed?")
        seen = len(one.told)
        async with one.listening():
            await one.hear("CONVERSATION_MESSAGE")
            assert one.names[seen:] == [
                "ROUTING_WORK_RESULT",
                "ROUTING_WORK_RESULT",
                "SESSION_STATUS_CHANGED",
                "PARTICIPANT_CHANGED",
                "MESSAGE",
            ]
        assert one.ids == sorted(set(one.ids))


async def test_a_stream_may_be_told_to_forget_what_was_missed() -> None:
    assumptions = Assumptions(replays=False)
    async with (
        SalesforceSimulator.running(script=FREE, assumptions=assumptions) as vendor,
        visiting(vendor) as one,
    ):
        await one.begin()
        await vendor.waiting()
        async with one.listening():
            await vendor.agent_joins(one.conversation)
            await one.hear("CONVERSATION_PARTICIPANT_CHANGED")
            assert "ROUTING_RESULT" not in one.names
        listed = (await one.ask("GET", f"{one.path}/entries"))[1]["conversationEntries"]
        assert listed[0]["entryType"] == "RoutingResult"
        assert isinstance(listed[0]["entryPayload"], dict)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sentence", "Jwt is expired"),
        ("json", '{"status":401,"error":"Unauthorized","path":"/eventrouter/v1/sse"}'),
    ],
)
async def test_an_expired_token_ends_the_stream_with_raw_text(line: str, words: str) -> None:
    assumptions = Assumptions(expired_line=line)  # type: ignore[arg-type]
    async with meeting(assumptions=assumptions) as (vendor, one):
        await one.begin()
        await vendor.waiting()
        await vendor.expire_tokens(one.conversation)
        await one.until(lambda one: one.raw)
        assert one.raw == [words]
        assert (await one.ask("GET", one.path))[0] == 401
        assert (await one.ask("GET", "/authorization/continuation-access-token"))[0] == 401


async def test_silence_is_filled_with_pings() -> None:
    async with meeting() as (_vendor, one):
        await one.until(lambda one: one.pings >= 2)
        assert one.told == []


async def test_events_may_be_doubled_mixed_with_strangers_kept_back_and_lost() -> None:
    async with meeting() as (vendor, one):
        await one.begin()
        await vendor.waiting()
        await vendor.agent_joins(one.conversation)
        await one.hear("CONVERSATION_PARTICIPANT_CHANGED")
        vendor.webhooks.set(duplicates=1, unknown_events=True)
        await vendor.agent_says(one.conversation, "Twice")
        await one.hear("CONVERSATION_MESSAGE", 2)
        assert one.names[-4:] == ["MOOD_CHANGED", "MOOD_CHANGED", "MESSAGE", "MESSAGE"]
        assert one.ids[-1] == one.ids[-2]
        vendor.webhooks.set(duplicates=0, unknown_events=False, lose=True)
        await vendor.agent_says(one.conversation, "Lost")
        vendor.webhooks.set(lose=False, paused=True)
        await vendor.agent_says(one.conversation, "Late")
        assert len(one.payloads("CONVERSATION_MESSAGE")) == 2
        vendor.webhooks.set(paused=False)
        late = await one.hear("CONVERSATION_MESSAGE", 3)
        assert late[-1]["abstractMessage"]["staticContent"]["text"] == "Late"
        await vendor.send_unknown_event(one.conversation)
        await one.hear("CONVERSATION_MOOD_CHANGED", 3)


async def test_places_in_the_queue_move_up() -> None:
    async with meeting() as (vendor, one), visiting(vendor) as other:
        await one.begin()
        await vendor.waiting()
        await one.hear("CONVERSATION_QUEUE_POSITION")
        async with other.listening():
            await other.begin()
            assert (await other.hear("CONVERSATION_QUEUE_POSITION"))[0]["position"] == 2
            await vendor.agent_joins(one.conversation)
            assert (await other.hear("CONVERSATION_QUEUE_POSITION", 2))[1]["position"] == 1
            assert "MESSAGE" not in other.names
        await vendor.tell_position(one.conversation, 7)
        assert (await one.hear("CONVERSATION_QUEUE_POSITION", 2))[-1]["position"] == 7


async def test_a_channel_tells_a_wait_instead_of_a_position() -> None:
    async with meeting(assumptions=Assumptions(queue_updates="wait")) as (vendor, one):
        await one.begin()
        await vendor.waiting()
        await one.hear("CONVERSATION_SESSION_STATUS_CHANGED")
        routed = one.payloads("CONVERSATION_ROUTING_RESULT")[0]
        assert routed["estimatedWaitTime"] == {"isEWTRequested": True, "estimatedWaitTimeInSeconds": 90}
        assert "QUEUE_POSITION" not in one.names


async def test_nobody_there_is_a_failed_routing() -> None:
    async with meeting() as (vendor, one):
        vendor.org.staffed = False
        await one.begin()
        failed = (await one.hear("CONVERSATION_ROUTING_RESULT"))[0]
        assert (failed["failureType"], failed["failureReason"]) == ("RoutingError", "No agents are available.")
        status = (await one.hear("CONVERSATION_SESSION_STATUS_CHANGED"))[0]
        assert status["sessionStatus"] == "Error"


async def test_an_offer_is_declined_and_then_taken_by_somebody_else_and_transferred() -> None:
    async with meeting() as (vendor, one):
        await one.begin(Department="Billing")
        waiting = await vendor.waiting()
        assert waiting.queue_id == vendor.queues[1].id
        await vendor.decline(waiting.id)
        await vendor.agent_joins(waiting.id, vendor.agents[1])
        await vendor.transfer_to_queue(waiting.id, vendor.queues[0])
        assert (await one.ask("GET", one.path))[1]["routingStatus"] == "TRANSFER"
        await vendor.agent_joins(waiting.id, vendor.agents[2])
        await vendor.transfer_to_agent(waiting.id, vendor.agents[0])
        await vendor.unassign(waiting.id)
        assert (await one.ask("GET", one.path))[1]["routingStatus"] == "NEEDS_ROUTING"
        changes = [
            (entry["operation"], entry["displayName"])
            for payload in await one.hear("CONVERSATION_PARTICIPANT_CHANGED", 6)
            for entry in payload["entries"]
        ]
        assert changes == [
            ("add", "Noah Vinter"),
            ("remove", "Noah Vinter"),
            ("add", "Mei Tanaka"),
            ("remove", "Mei Tanaka"),
            ("add", "Astrid Holm"),
            ("remove", "Astrid Holm"),
        ]
        work = [payload["workType"] for payload in one.payloads("CONVERSATION_ROUTING_WORK_RESULT")]
        assert work == [
            *("Assigned", "Declined", "Assigned", "Accepted", "Transferred"),
            *("Assigned", "Accepted", "Transferred", "Assigned", "Accepted"),
        ]
        kinds = [payload["routingType"] for payload in one.payloads("CONVERSATION_ROUTING_RESULT")]
        assert kinds == ["Initial", "Transfer", "Transfer"]


async def test_the_other_readings_of_what_is_told() -> None:
    assumptions = Assumptions(
        work_results=False,
        participant_first=True,
        removed_on_transfer=False,
        ended_by="EndUser",
        delivery_receipts=False,
        entry_identifier="own",
        queue_updates="none",
        routing_starts="with first message",
    )
    async with meeting(assumptions=assumptions) as (vendor, one):
        await one.begin()
        _status, answer = await one.say("First words", "3f0e7a44-9f5e-4b8e-9d3c-0a9b7c1d2e3f")
        assert answer["conversationEntries"][0]["id"] != "3f0e7a44-9f5e-4b8e-9d3c-0a9b7c1d2e3f"
        waiting = await vendor.waiting()
        await vendor.agent_joins(waiting.id)
        await one.say("More")
        await vendor.transfer_to_queue(waiting.id, vendor.queues[1])
        await vendor.agent_joins(waiting.id, vendor.agents[1])
        await vendor.close(waiting.id)
        ended = (await one.hear("CONVERSATION_SESSION_STATUS_CHANGED", 3))[-1]
        assert ended["sessionEndedByRole"] == "EndUser"
        assert one.names == [
            "MESSAGE",
            "ROUTING_RESULT",
            "SESSION_STATUS_CHANGED",
            "PARTICIPANT_CHANGED",
            "SESSION_STATUS_CHANGED",
            "MESSAGE",
            "ROUTING_RESULT",
            "PARTICIPANT_CHANGED",
            "PARTICIPANT_CHANGED",
            "SESSION_STATUS_CHANGED",
        ]


async def test_a_scripted_agent_plays_its_part() -> None:
    steps = (
        Step(act=Act.DECLINES),
        Step(act=Act.JOINS, agent=1),
        Step(act=Act.TYPES),
        Step(act=Act.SAYS, text="sample:emoji", after_visitor=True),
        Step(act=Act.SAYS, text="Bye"),
        Step(act=Act.CLOSES),
    )
    async with meeting(script=Script(steps=steps, rate=None)) as (_vendor, one):
        await one.begin()
        await one.hear("CONVERSATION_TYPING_STARTED_INDICATOR")
        await one.say("Go on")
        said = await one.hear("CONVERSATION_MESSAGE", 3)
        assert "🎉" in said[1]["abstractMessage"]["staticContent"]["text"]
        await one.until(lambda one: one.names[-1] == "SESSION_STATUS_CHANGED")
