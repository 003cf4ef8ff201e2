"""The agent page of a simulated Kustomer: whoever opens it is the agent."""

from __future__ import annotations

from tests.simulators.kustomer_account import FREE, change_of, handed_over, meeting, visitor_line
from tests.simulators.receiver import Stranger

from warmline.simulators.kustomer import KustomerSimulator


async def _act(vendor: KustomerSimulator, me: Stranger, act: str, **fields: str) -> int:
    form = {"conversation": vendor.conversations[0].id, "act": act, **fields}
    async with me.session.post(f"{vendor.url}/simulator/act", data=form, allow_redirects=False) as answer:
        return answer.status


async def _page(vendor: KustomerSimulator, me: Stranger) -> str:
    async with me.session.get(f"{vendor.url}/") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_handover_played_on_the_page() -> None:
    async with meeting(script=FREE) as (vendor, me, hook):
        customer_id, session = await handed_over(vendor, me)
        await vendor.waiting()
        await me.good("POST", f"/v1/conversations/{session}/notes", {"body": "Came from /lamps"})
        await me.good("POST", f"/v1/conversations/{session}/tags", ["vip"])
        assert await _act(vendor, me, "say", text="Too early") == 409
        assert await _act(vendor, me, "join", agent=vendor.agents[1].id) == 303
        assert await _act(vendor, me, "say", text="Hello from Noah") == 303
        assert await _act(vendor, me, "sample", sample="picture") == 303
        await me.good("POST", "/v2.1/chat/messages", visitor_line(customer_id, session, "Thank you"))
        text = await _page(vendor, me)
        for line in ("Where is my lamp?", "I will ask somebody.", "Hello from Noah", "leaf.png", "Thank you", "vip"):
            assert line in text
        assert "Came from /lamps" in text
        assert vendor.token in text
        for act in ("type", "disappear", "unknown", "unassign", "decline"):
            assert await _act(vendor, me, act) == 303
        assert await _act(vendor, me, "to-agent", agent=vendor.agents[2].id) == 303
        assert await _act(vendor, me, "to-queue", queue=vendor.queues[1].id) == 303
        assert await _act(vendor, me, "done") == 303
        assert await _act(vendor, me, "reopen") == 303
        assert await _act(vendor, me, "close") == 303
        await change_of(hook, "ended", True)
        assert "Ended" in await _page(vendor, me)
        assert await _act(vendor, me, "dance") == 409
        assert await _act(vendor, me, "join", conversation="nowhere") == 409


async def test_webhooks_go_where_the_page_says() -> None:
    async with meeting(script=FREE) as (vendor, _me, hook):
        vendor.board().subscribe("http://127.0.0.1:9/hook")
        assert vendor.board().targets() == ["http://127.0.0.1:9/hook"]
        vendor.board().subscribe(hook.url)
        assert [one.token for one in vendor.subscriptions] == [vendor.secret]
