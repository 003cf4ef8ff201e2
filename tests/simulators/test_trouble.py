"""The switchboard: what goes wrong, what was done nevertheless, and what is remembered of it."""

from __future__ import annotations

import aiohttp
import pytest
from tests.simulators.account import FREE, handed_over, inbound
from tests.simulators.receiver import stranger

from warmline.simulators.dixa import Assumptions, DixaSimulator
from warmline.simulators.script import Kind, Script, Trouble, Waits


async def test_the_next_calls_of_an_operation_meet_trouble_and_others_do_not() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        path = f"/v1/conversations/{await handed_over(vendor, me)}/messages"
        vendor.trouble.next("messages.add", Kind.FAILING, times=2)
        vendor.trouble.next("messages.add", Kind.TOO_MANY)
        assert (await me.ask("GET", path))[0] == 200
        seen = [(await me.ask("POST", path, inbound(f"try {one}")))[0] for one in range(4)]
        assert seen == [500, 500, 429, 200]
        assert [line.text for line in vendor.conversations[0].messages][2:] == ["try 3"]
        assert [call.trouble for call in vendor.calls.of("messages.add")] == [Kind.FAILING] * 2 + [Kind.TOO_MANY, None]
        assert [call.done for call in vendor.calls.of("messages.add")] == [False] * 3 + [True]
        assert vendor.trouble.orders == ()


async def test_a_script_orders_trouble_for_any_call_with_a_header_if_wanted() -> None:
    script = Script(rate=None, trouble=(Trouble(operation="*", kind=Kind.TOO_MANY),))
    assumptions = Assumptions(retry_after_s=3)
    async with DixaSimulator.running(script=script, assumptions=assumptions) as vendor:
        headers = {"Authorization": vendor.token}
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{vendor.url}/v1/queues", headers=headers) as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (429, "3")
            async with session.get(f"{vendor.url}/v1/queues", headers=headers) as answer:
                assert answer.status == 200


@pytest.mark.parametrize(("kind", "done"), [(Kind.LOST, True), (Kind.SILENT, False)])
async def test_a_cut_connection_leaves_open_whether_it_was_done(kind: Kind, done: bool) -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        path = f"/v1/conversations/{await handed_over(vendor, me)}/messages"
        vendor.trouble.next("messages.add", kind)
        with pytest.raises(aiohttp.ClientError):
            await me.ask("POST", path, inbound("hello?"))
        (call,) = await vendor.calls.wait("messages.add")
        assert (call.status, call.done) == (0, done)
        assert ("hello?" in [line.text for line in vendor.conversations[0].messages]) is done
        assert call.json["content"]["value"] == "hello?"


async def test_a_late_answer_is_done_before_the_caller_gives_up() -> None:
    script = Script(rate=None, waits=Waits(late_ms=5_000))
    async with DixaSimulator.running(script=script) as vendor, stranger(vendor.url, vendor.token) as me:
        path = f"/v1/conversations/{await handed_over(vendor, me)}/messages"
        vendor.trouble.next("messages.add", Kind.LATE)
        headers = {"Authorization": vendor.token}
        with pytest.raises(TimeoutError):
            await me.session.post(
                vendor.url + path,
                json=inbound("patience"),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=0.3),
            )
        assert [line.text for line in vendor.conversations[0].messages][-1] == "patience"


async def test_trouble_can_be_called_off() -> None:
    async with DixaSimulator.running(script=FREE) as vendor, stranger(vendor.url, vendor.token) as me:
        vendor.trouble.next("*", Kind.FAILING, times=9)
        assert (await me.ask("GET", "/v1/queues"))[0] == 500
        vendor.trouble.clear()
        assert (await me.ask("GET", "/v1/queues"))[0] == 200
