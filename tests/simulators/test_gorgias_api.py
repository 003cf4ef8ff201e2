"""The simulated Gorgias as a stranger's client meets it: credentials, limits, tickets, customers, files."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.simulators.gorgias_account import FREE, SENT, basic, handed_over, line, meeting, ticket
from tests.simulators.receiver import stranger

from warmline.kernel.clock import ManualClock
from warmline.simulators.gorgias import Assumptions, GorgiasSimulator
from warmline.simulators.script import Kind


async def test_only_the_email_with_its_key_is_let_in() -> None:
    async with GorgiasSimulator.running(script=FREE) as vendor:
        for wrong in ("", f"Bearer {vendor.token}", "Basic eDp5", vendor.token):
            async with stranger(f"{vendor.url}/api", wrong) as me:
                status, answer = await me.ask("GET", "/account")
                assert (status, set(answer)) == (401, {"error"})
        async with stranger(f"{vendor.url}/api", basic(vendor)) as me:
            assert (await me.good("GET", "/users/0"))["email"] == vendor.email
            assert (await me.ask("GET", "/nonsense"))[0] == 404


async def test_the_bucket_holds_forty_calls_and_leaks_two_a_second() -> None:
    clock = ManualClock()
    async with GorgiasSimulator.running(clock=clock) as vendor, stranger(f"{vendor.url}/api", basic(vendor)) as me:

        async def ask() -> tuple[int, dict[str, str]]:
            async with me.session.get(f"{me.base}/account", headers={"Authorization": me.token}) as answer:
                return answer.status, dict(answer.headers)

        first = await ask()
        assert (first[0], first[1]["X-Gorgias-Account-Api-Call-Limit"]) == (200, "1/40")
        for _ in range(39):
            assert (await ask())[0] == 200
        status, headers = await ask()
        assert (status, headers["Retry-After"], headers["X-Gorgias-Account-Api-Call-Limit"]) == (429, "1", "40/40")
        clock.advance(1_000)
        assert [(await ask())[0] for _ in range(3)] == [200, 200, 429]
        clock.advance(60_000)
        assert (await ask())[1]["X-Gorgias-Account-Api-Call-Limit"] == "1/40"


async def test_an_enterprise_account_leaks_twice_as_fast() -> None:
    clock = ManualClock()
    async with (
        GorgiasSimulator.running(clock=clock, enterprise=True) as vendor,
        stranger(f"{vendor.url}/api", basic(vendor)) as me,
    ):
        for _ in range(40):
            await me.good("GET", "/account")
        clock.advance(1_000)
        assert [(await me.ask("GET", "/account"))[0] for _ in range(5)] == [200, 200, 200, 200, 429]


# ------------------------------------------------------------------------------------------------ tickets
async def test_a_ticket_comes_with_its_messages() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        more = {"assignee_team": {"id": vendor.teams[1].id}, "meta": {"page": "/lamps"}, "external_id": "h-1"}
        number = await handed_over(me, **more)
        shown = await me.good("GET", f"/tickets/{number}/")
        assert [(one["from_agent"], one["body_text"]) for one in shown["messages"]] == [
            (False, "Where is my lamp?"),
            (True, "I will ask somebody."),
        ]
        assert (shown["status"], shown["assignee_team"]["name"], shown["assignee_user"]) == ("open", "Billing", None)
        assert (shown["customer"]["email"], shown["meta"], shown["external_id"]) == (
            "kim@example.com",
            {"page": "/lamps"},
            "h-1",
        )
        assert [one["name"] for one in shown["tags"]] == ["handover"]
        listed = await me.good("GET", f"/tickets/{number}/messages?limit=1")
        assert (len(listed["data"]), listed["meta"]["next_cursor"]) == (1, "1")
        rest = await me.good("GET", f"/tickets/{number}/messages?limit=1&cursor=1")
        assert (rest["data"][0]["body_text"], rest["meta"]["next_cursor"]) == ("I will ask somebody.", None)
        found = await me.good("GET", f"/tickets?customer_id={shown['customer']['id']}&external_id=h-1")
        assert [one["id"] for one in found["data"]] == [number]
        assert "messages" not in found["data"][0]
        assert (await vendor.waiting()).id == number
        for query in ("order_by=subject:asc", "order_by=created_datetime", "colour=red"):
            assert (await me.ask("GET", f"/tickets?{query}"))[0] == 400


async def test_lists_are_ordered_as_asked_and_may_leave_out_the_trash() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        numbers = [await handed_over(me) for _ in range(3)]
        vendor.conversations[0].updated_at += 60_000
        vendor.conversations[1].trashed_at = 1

        async def listed(query: str) -> list[int]:
            return [one["id"] for one in (await me.good("GET", f"/tickets?{query}"))["data"]]

        assert await listed("") == numbers[::-1]
        assert await listed("order_by=created_datetime:asc") == numbers
        assert (await listed("order_by=updated_datetime:desc"))[0] == numbers[0]
        assert await listed("trashed=false") == [numbers[2], numbers[0]]
        said = (await me.good("GET", f"/messages?ticket_id={numbers[0]}&order_by=created_datetime:asc"))["data"]
        assert [one["body_text"] for one in said] == ["Where is my lamp?", "I will ask somebody."]


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []},
        {"messages": [line("x")] * 501},
        {"messages": [{"channel": "api", "via": "api", "body_text": "no from_agent"}]},
        {"messages": [line("x", receiver={"email": "shop@example.com"})]},
        {"messages": [line("x", channel="internal-note")]},
        {"messages": [line("x", sender={"id": 5})]},
        {"messages": [line("x", from_agent=True, sender={"email": "nobody@example.com"})]},
        {"external_id": "x" * 256},
        {"status": "solved"},
        {"assignee_team": {"id": 999}},
        {"customer": {"id": 999}},
        {"surprise": 1},
        {"customer": None, "messages": [line("x")]},
    ],
)
async def test_a_wrong_ticket_is_refused_and_not_made(change: dict[str, Any]) -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        status, answer = await me.ask("POST", "/tickets", ticket(**change))
        assert (status, "error" in answer, vendor.conversations) == (400, True, [])
        assert vendor.calls[-1].note


async def test_five_hundred_messages_come_in_one_call() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        await handed_over(me, messages=[line(f"line {place}") for place in range(500)])
        assert len(vendor.conversations[0].messages) == 500


async def test_what_was_not_sent_yet_is_mailed() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        await handed_over(me)
        number = await handed_over(
            me, channel="email", messages=[line("From the bot", channel="email", from_agent=True)]
        )
        path = f"/tickets/{number}/messages"
        loose = {"channel": "email", "via": "api", "from_agent": True, "body_text": "Not marked as sent"}
        made = await me.good("POST", path, loose)
        assert made["sent_datetime"] is None
        note = await me.good("POST", path, {**loose, "channel": "internal-note"})
        assert (note["public"], note["receiver"]) == (False, None)
        await vendor.changes.until(lambda: vendor.mailed)
        assert [(one.to, one.text) for one in vendor.mailed] == [("kim@example.com", "Not marked as sent")]
        assert (await me.good("GET", f"{path}/{made['id']}"))["sent_datetime"]


@pytest.mark.parametrize(("reading", "state"), [("sent", "sent"), ("mailed", "mailed"), ("failed", "failed")])
async def test_an_answer_on_the_api_channel_goes_as_it_is_read(reading: Any, state: str) -> None:
    async with meeting(script=FREE, assumptions=Assumptions(api_channel=reading)) as (vendor, me, _hook):
        number = await handed_over(me)
        said = await vendor.agent_says(number, "Hello")
        await vendor.changes.until(lambda: said.sent_at or said.failed_at)
        assert bool(said.failed_at) is (state == "failed")
        assert bool(vendor.mailed) is (state == "mailed")
        shown = await me.good("GET", f"/tickets/{number}/messages/{said.id}")
        assert bool(shown["last_sending_error"]) is (state == "failed")


async def test_a_ticket_is_changed_closed_and_opened_by_its_customer() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        number = await handed_over(me)
        change = {"status": "closed", "assignee_user": {"id": vendor.agents[1].id}, "subject": "Lamp"}
        shown = await me.good("PUT", f"/tickets/{number}", change)
        assert (shown["status"], shown["assignee_user"]["name"], shown["subject"]) == ("closed", "Otto Falk", "Lamp")
        assert shown["closed_datetime"]
        await me.good("POST", f"/tickets/{number}/messages", line("Still dark"))
        assert (await me.good("GET", f"/tickets/{number}"))["status"] == "open"
        shown = await me.good("PUT", f"/tickets/{number}", {"assignee_user": None})
        assert shown["assignee_user"] is None
        assert (await me.ask("PUT", f"/tickets/{number}", {"status": "snoozed"}))[0] == 400
        assert (await me.ask("PUT", "/tickets/7", {"status": "closed"}))[0] == 404
        assert (await me.ask("GET", "/tickets/seven"))[0] == 404


async def test_tags_are_added_set_and_removed() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        number = await handed_over(me)
        path = f"/tickets/{number}/tags"
        await me.good("POST", path, {"names": ["vip", "lamps"]})
        known = {one["name"]: one["id"] for one in (await me.good("GET", "/tags"))["data"]}
        assert set(known) == {"handover", "vip", "lamps"}
        await me.good("DELETE", path, {"ids": [known["vip"]]})
        assert [one["name"] for one in await me.good("GET", path)] == ["handover", "lamps"]
        await me.good("PUT", path, {"names": ["only"]})
        assert vendor.conversations[0].tags == ["only"]
        assert (await me.ask("POST", path, {"ids": [5]}))[0] == 400
        assert (await me.ask("POST", "/tags", {"name": "vip"}))[0] == 409


async def test_with_auto_merge_an_unmarked_ticket_vanishes_into_the_open_one() -> None:
    async with meeting(script=FREE, auto_merge=True) as (vendor, me, _hook):
        old = await handed_over(me)
        marked = await handed_over(me)
        gone = await handed_over(me, tags=[], messages=[line("Swallowed")])
        await vendor.changes.until(lambda: gone not in vendor.account.tickets)
        assert (await me.ask("GET", f"/tickets/{gone}"))[0] == 404
        kept = await me.good("GET", f"/tickets/{old}")
        assert "Swallowed" in [one["body_text"] for one in kept["messages"]]
        assert (await me.good("GET", f"/tickets/{marked}"))["id"] == marked


# ---------------------------------------------------------------------------------------------- customers
async def test_a_customer_is_made_once_per_email() -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        body = {"name": "Kim Lee", "channels": [{"type": "email", "address": "kim@example.com", "preferred": True}]}
        status, made = await me.ask("POST", "/customers", {**body, "external_id": "v-1"})
        assert (status, made["email"], made["firstname"], made["lastname"]) == (201, "kim@example.com", "Kim", "Lee")
        assert (await me.ask("POST", "/customers", {**body, "email": "KIM@example.com"}))[0] == 409
        assert (await me.ask("POST", "/customers", {"email": "lee@example.com"}))[0] == 400
        for query in ("email=Kim@example.com", "external_id=v-1"):
            assert [one["id"] for one in (await me.good("GET", f"/customers?{query}"))["data"]] == [made["id"]]
        assert (await me.good("GET", "/customers?email=nobody@example.com"))["data"] == []
        other = await me.good("POST", "/customers", {"channels": [], "email": "lee@example.com"})
        assert (await me.ask("PUT", f"/customers/{other['id']}", {"email": "kim@example.com"}))[0] == 409
        changed = await me.good("PUT", f"/customers/{other['id']}", {"name": "Lee"})
        assert (changed["name"], changed["email"]) == ("Lee", "lee@example.com")


async def test_an_unknown_email_makes_a_customer_or_not() -> None:
    async with meeting(script=FREE, assumptions=Assumptions(unknown_email="refused")) as (vendor, me, _hook):
        assert (await me.ask("POST", "/tickets", ticket()))[0] == 400
        await me.good("POST", "/customers", {"channels": [], "email": "kim@example.com"})
        await handed_over(me)
        assert len(vendor.account.customers) == 1


async def test_teams_and_users_are_listed() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        assert [one["name"] for one in (await me.good("GET", "/teams"))["data"]] == [one.name for one in vendor.teams]
        assert (await me.good("GET", f"/teams/{vendor.teams[0].id}"))["name"] == "Support"
        assert len((await me.good("GET", "/users"))["data"]) == 4
        found = await me.good("GET", f"/users?email={vendor.agents[2].email}")
        assert [one["firstname"] for one in found["data"]] == ["Yara"]
        assert (await me.good("GET", f"/users/{vendor.agents[0].id}"))["role"] == {"name": "lead-agent"}
        for path in ("/users/99", "/teams/99", "/customers/99", "/integrations/99"):
            assert (await me.ask("GET", path))[0] == 404
        assert (await me.ask("GET", "/teams?limit=0"))[0] == 400


# -------------------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("links", ["open", "private"])
async def test_files_are_uploaded_and_read_back(links: Any) -> None:
    async with meeting(script=FREE, assumptions=Assumptions(attachment_links=links)) as (vendor, me, _hook):
        content = bytes(range(256)) + b"\r\n--\r\n"
        form = aiohttp.FormData()
        form.add_field("lamp", content, filename="my lämp.png", content_type="image/png")
        headers = {"Authorization": me.token}
        async with me.session.post(f"{me.base}/upload?type=attachment", data=form, headers=headers) as answer:
            (file,) = await answer.json()
            assert (answer.status, file["name"], file["size"]) == (201, "my lämp.png", len(content))
        number = await handed_over(me, messages=[line("Look", attachments=[file])])
        shown = await me.good("GET", f"/tickets/{number}")
        assert shown["messages"][0]["attachments"] == [file]
        for known, expected in ((False, 401 if links == "private" else 200), (True, 200)):
            async with me.session.get(file["url"], headers=headers if known else {}) as answer:
                assert answer.status == expected
                assert answer.status == 401 or await answer.read() == content
        said = await vendor.agent_says(number, "", files=[("a.txt", "text/plain", b"text")])
        async with me.session.get(said.attachments[0].url, headers=headers) as answer:
            assert (await answer.read(), answer.content_type) == (b"text", "text/plain")


async def test_an_upload_without_a_file_is_refused() -> None:
    async with meeting(script=FREE) as (_vendor, me, _hook):
        for query in ("?type=attachment", "?type=secret"):
            assert (await me.ask("POST", f"/upload{query}", {}))[0] == 400


async def test_a_lost_answer_leaves_the_message_behind() -> None:
    async with meeting(script=FREE) as (vendor, me, _hook):
        number = await handed_over(me)
        vendor.trouble.next("messages.create", Kind.LOST)
        with pytest.raises(aiohttp.ClientError):
            await me.ask("POST", f"/tickets/{number}/messages", line("Once", external_id="m-1"))
        vendor.trouble.next("messages.create", Kind.TOO_MANY)
        status, _ = await me.ask("POST", f"/tickets/{number}/messages", line("Never", external_id="m-2"))
        listed = (await me.good("GET", f"/messages?ticket_id={number}"))["data"]
        assert (status, [one["external_id"] for one in listed]) == (429, ["m-1", None, None])
        assert listed[0]["sent_datetime"].startswith(SENT[:19])


@pytest.mark.parametrize(("sends", "mails"), [(True, 2), (False, 1)])
async def test_a_customers_line_is_mailed_as_well_unless_read_otherwise(sends: bool, mails: int) -> None:
    loose = {"channel": "email", "via": "api", "from_agent": False, "body_text": "Mine"}
    async with meeting(script=FREE, assumptions=Assumptions(customer_lines_are_sent=sends)) as (vendor, me, _hook):
        number = await handed_over(me)
        await me.good("POST", f"/tickets/{number}/messages", loose)
        later = await me.good("POST", f"/tickets/{number}/messages", {**loose, "from_agent": True})
        await vendor.changes.until(lambda: later["id"] in [one.message_id for one in vendor.mailed])
        assert len(vendor.mailed) == mails
