"""A conversation read and driven through the API, on both store pairs."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.node import PAGE, Stage, staged
from tests.support.pair import StorePair
from tests.web.api.asking import client, client_with, connect, new_key

NOBODY = "00000000-0000-7000-8000-000000000000"


async def until_listed(stage: Stage, query: str, wanted: set[str]) -> list[dict[str, Any]]:
    """The list's items, once it holds exactly ``wanted``: the index follows the journal by a moment."""
    async with asyncio.timeout(15):
        while True:
            items: list[dict[str, Any]] = (await client(stage).get(f"/conversations?{query}"))["items"]
            if {item["id"] for item in items} == wanted:
                return items
            await asyncio.sleep(0.05)


async def test_a_conversation_is_read_as_it_is(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        await stage.say(conversation, "Where is my lamp?")
        shown = await api.get(f"/conversations/{conversation}")
        state = await stage.state(conversation)
        assert (shown["id"], shown["status"], shown["owner"], shown["owner_epoch"]) == (
            conversation,
            "open",
            "bot",
            state.owner_epoch,
        )
        assert (shown["widget_id"], shown["bot_id"], shown["channel"]) == (stage.widget_id, stage.bot_id, "widget")
        assert shown["page"] == {
            "user_agent": PAGE["userAgent"],
            "screen_res": PAGE["screenRes"],
            "language": PAGE["language"],
            "url": PAGE["url"],
            "referrer": PAGE["referrer"],
            "title": PAGE["title"],
        }
        assert shown["started_at"].endswith("Z")
        assert shown["handover"] is None

        await connect(stage, conversation)
        shown = await api.get(f"/conversations/{conversation}")
        held = shown["handover"]
        assert (shown["owner"], held["stage"], held["rung"], held["reason"]) == ("desk", "connected", 0, "api")
        assert held["agent"]["name"] == "Ada"
        assert held["connection_id"] == stage.connection_id

        (await api.ask("GET", f"/conversations/{NOBODY}")).problem(404, "not_found")
        (await api.ask("GET", "/conversations/nonsense")).problem(404, "not_found")
        for part in ("transcript", "events"):
            (await api.ask("GET", f"/conversations/{NOBODY}/{part}")).problem(404, "not_found")


async def test_transcript_and_events_are_read_page_by_page(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        for number in range(5):
            await stage.say(conversation, f"line {number}")
        await stage.until(conversation, lambda state: state.turn_seq == 0)
        await api.post(f"/conversations/{conversation}/close")

        recorded = await stage.events(conversation)
        read: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = await api.get(f"/conversations/{conversation}/events?after={after}&limit=3")
            assert len(page["items"]) <= 3
            read += page["items"]
            after = page["next_after"]
        assert [(item["seq"], item["type"], item["owner_epoch"]) for item in read] == [
            (event.seq, event.type, event.owner_epoch) for event in recorded
        ]
        assert read[0]["type"] == "conversation.started"
        assert read[0]["data"]["widget_id"] == stage.widget_id

        said: list[dict[str, Any]] = []
        after = 0
        while after is not None:
            page = await api.get(f"/conversations/{conversation}/transcript?after={after}&limit=2")
            assert len(page["items"]) <= 2
            said += page["items"]
            after = page["next_after"]
        wanted = [event for event in recorded if event.type == "message.posted"]
        assert [(item["seq"], item["text"]) for item in said] == [(event.seq, event.body.text) for event in wanted]
        assert [item["text"] for item in said if item["author"] == "visitor"] == [f"line {n}" for n in range(5)]


async def test_speaking_needs_the_epoch_of_now(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        path = f"/conversations/{conversation}/messages"
        before = (await api.get(f"/conversations/{conversation}"))["owner_epoch"]
        (await api.ask("POST", path, {"text": "Hello", "owner_epoch": before})).problem(409, "not_connected")

        await connect(stage, conversation)
        stale = (await api.ask("POST", path, {"text": "Hello", "owner_epoch": before})).problem(409, "stale_owner")
        assert stale["owner_epoch"] == before + 1

        spoken = {"text": "Hello, Ada here", "owner_epoch": before + 1, "agent_name": "Ada"}
        posted = await api.ask("POST", path, spoken, repeat="hello")
        assert posted.status == 201, posted
        again = await api.ask("POST", path, spoken, repeat="hello")
        assert (again.status, again.body) == (201, posted.body)
        (await api.ask("POST", path, {**spoken, "text": "Other"}, repeat="hello")).problem(
            422, "idempotency_key_reused"
        )
        transcript = await api.get(f"/conversations/{conversation}/transcript")
        agents = [item for item in transcript["items"] if item["author"] == "agent"]
        assert [(item["message_id"], item["seq"], item["text"], item["name"]) for item in agents] == [
            (posted.body["id"], posted.body["seq"], "Hello, Ada here", "Ada")
        ]


async def test_a_handover_is_asked_for_cancelled_and_ended(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        base = f"/conversations/{conversation}"
        (await api.ask("POST", f"{base}/handover/cancel")).problem(409, "no_handover")
        (await api.ask("POST", f"{base}/handover/end")).problem(409, "no_handover")

        asked = await api.ask("POST", f"{base}/handover", {"reason": "rule"}, repeat="ask")
        assert asked.status == 201, asked
        assert asked.body["handover"]["reason"] == "rule"
        assert (await api.ask("POST", f"{base}/handover", {"reason": "rule"}, repeat="ask")).status == 201
        (await api.ask("POST", f"{base}/handover")).problem(409, "handover_active")

        cancelled = await api.post(f"{base}/handover/cancel")
        assert (cancelled["owner"], cancelled["handover"]) == ("bot", None)
        assert cancelled["owner_epoch"] == asked.body["owner_epoch"] + 1

        await connect(stage, conversation)
        (await api.ask("POST", f"{base}/handover/cancel")).problem(409, "already_connected")
        (await api.ask("POST", f"{base}/handover/end", {"owner_epoch": 0})).problem(409, "stale_owner")
        ended = await api.post(f"{base}/handover/end")
        assert (ended["owner"], ended["handover"]) == ("bot", None)

        note = await api.post(f"{base}/notes", {"text": "Call her on Monday"})
        closed = await api.post(f"{base}/close")
        assert (closed["status"], closed["owner"]) == ("closed", "nobody")
        (await api.ask("POST", f"{base}/close")).problem(409, "closed")
        (await api.ask("POST", f"{base}/handover")).problem(409, "closed")
        events = (await api.get(f"{base}/events"))["items"]
        assert [event["data"]["text"] for event in events if event["type"] == "note.posted"] == ["Call her on Monday"]
        assert note["id"] in {event["data"].get("note_id") for event in events}


async def test_lists_are_filtered_and_paged(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        ids = [await stage.visit() for _ in range(5)]
        await stage.say(ids[0], "A crimson umbrella")
        await api.post(f"/conversations/{ids[1]}/close")
        await connect(stage, ids[2])

        assert (await until_listed(stage, "status=closed", {ids[1]}))[0]["owner"] == "nobody"
        await until_listed(stage, "status=open", {ids[0], ids[2], ids[3], ids[4]})
        listed = await until_listed(stage, "stage=connected", {ids[2]})
        assert (listed[0]["agent_name"], listed[0]["rung_connection_id"]) == ("Ada", stage.connection_id)
        await until_listed(stage, "owner=desk", {ids[2]})
        await until_listed(stage, f"connection_id={stage.connection_id}", {ids[2]})
        await until_listed(stage, "search=CRIMSON umbrella", {ids[0]})
        await until_listed(stage, f"widget_id={stage.widget_id}", set(ids))
        await until_listed(stage, f"widget_id={NOBODY}", set())

        seen: list[str] = []
        cursor = ""
        while True:
            page = await api.get(f"/conversations?limit=2{cursor}")
            seen += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert sorted(seen) == sorted(ids)

        for query, path in (
            ("limit=0", "query.limit"),
            ("limit=201", "query.limit"),
            ("limit=x", "query.limit"),
            ("status=new", "query.status"),
            ("cursor=AAAA", "query.cursor"),
            ("cursor=.", "query.cursor"),
            ("widget_id=x", "query.widget_id"),
            ("search=%00", "query.search"),
        ):
            assert (await api.ask("GET", f"/conversations?{query}")).problem(400, _code(query))["path"] == path


def _code(query: str) -> str:
    return "cursor" if query == "cursor=AAAA" else "invalid"


async def test_erasing_takes_every_word_and_leaves_a_receipt(pair: StorePair) -> None:
    async with staged(pair) as stage:
        conversation = await stage.visit()
        await stage.say(conversation, "My name is Sensitive Person")
        base = f"/conversations/{conversation}"
        narrow = await client_with(stage, "conversations:read", "conversations:write")
        refused = (await narrow.ask("POST", f"{base}/erase")).problem(403, "scope_missing")
        assert refused["scope"] == "conversations:erase"

        api = client(stage)
        receipt = await api.post(f"{base}/erase")
        shown = await api.get(base)
        assert (receipt["conversation_id"], receipt["seq"]) == (conversation, shown["seq"])
        assert (shown["erased"], shown["status"], shown["visitor_id"], shown["page"]) == (True, "closed", None, None)
        assert (await api.get(f"{base}/transcript"))["items"] == []
        events = (await api.get(f"{base}/events"))["items"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert all(event["data"] == {"erased": True} for event in events[:-1])
        assert "Sensitive" not in str(events)
        (await api.ask("POST", f"{base}/erase")).problem(409, "already_erased")
        await until_listed(stage, "search=sensitive", set())


async def test_a_key_for_repeats_belongs_to_one_request(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        api = client(stage)
        first, second = await stage.visit(), await stage.visit()
        key = new_key()
        await api.post(f"/conversations/{first}/notes", {"text": "same"}, repeat=key)
        other = await api.ask("POST", f"/conversations/{second}/notes", {"text": "same"}, repeat=key)
        other.problem(422, "idempotency_key_reused")
        stranger = await client_with(stage, "conversations:write")
        assert (await stranger.ask("POST", f"/conversations/{second}/notes", {"text": "x"}, repeat=key)).status == 201
