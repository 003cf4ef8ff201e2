"""Who may come in, what a key opens, how often, and how refusals look."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.node import Stage, staged
from tests.support.pair import StorePair
from tests.web.api.asking import Client, client, client_with

from warmline.accounts.access import SYSTEM, Scope

NOBODY = "00000000-0000-7000-8000-000000000000"


async def operations(stage: Stage) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path below /api/v1 with ids nobody has, and description of every operation of the API."""
    async with stage.http.get(stage.base + "/api/openapi.json") as reply:
        document = await reply.json()
    found = []
    for path, item in document["paths"].items():
        if path.startswith("/api/v1/"):
            short = path.removeprefix("/api/v1").replace("{bot_id}", "0" * 24).replace("{name}", "none")
            for part in ("conversation_id", "message_id", "connection_id", "widget_id", "key_id", "contact_id"):
                short = short.replace(f"{{{part}}}", NOBODY)
            found += [(method.upper(), short, described) for method, described in item.items()]
    return found


async def test_every_operation_wants_a_key_and_its_scope(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        everything = await operations(stage)
        assert len(everything) >= 41
        poor = await client_with(stage, Scope.AUDIT_READ)
        for method, path, described in everything:
            assert (await poor.ask(method, path, headers={})).problem(401, "key_refused"), path
            refused = (await poor.ask(method, path)).problem(403, "scope_missing")
            assert f"`{refused['scope']}`" in described["description"], path
            assert described["operationId"]
            assert described["summary"]
            assert described["security"] == [{"apiKey": []}, {"apiKeyHeader": []}]


async def test_only_live_keys_of_this_api_open_it(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        api = client(stage)
        good = {"x-api-key": stage.v1_key}
        assert (await api.ask("GET", "/bots", headers=good)).status == 200
        assert (await api.ask("GET", "/bots", headers={"authorization": f"bearer {stage.v1_key}"})).status == 200
        for headers in (
            {},
            {"Authorization": stage.v1_key},
            {"Authorization": f"Basic {stage.v1_key}"},
            {"Authorization": "Bearer "},
            {"Authorization": f"Bearer {stage.wire_key}"},
            {"Authorization": f"Bearer {stage.v1_key}x"},
            {"Authorization": "Bearer wrong", "x-api-key": stage.v1_key},
            {"x-api-key": stage.wire_key},
        ):
            answer = await api.ask("GET", "/bots", headers=headers)
            answer.problem(401, "key_refused")
            assert answer.headers["www-authenticate"] == "Bearer"
        new = await stage.node.api_keys.create(SYSTEM, kind="v1", label="short-lived", scopes=["widgets:read"])
        brief = Client(stage, new.token)
        assert (await brief.ask("GET", "/bots")).status == 200
        assert (await api.ask("DELETE", f"/keys/{new.record.id}")).status == 204
        (await brief.ask("GET", "/bots")).problem(401, "key_refused")


async def test_refusals_name_the_place_and_change_nothing(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair, max_body_bytes=100_000) as stage:
        api = client(stage)
        for raw, code, path in (
            (b"", None, None),
            (b"{", "malformed_json", "$"),
            (b"[]", "invalid", "$"),
            (b'{"name": "x"}', "invalid", "$.bot_id"),
            (b'{"name": 1, "bot_id": "x"}', "invalid", "$.name"),
            (b'{"nmae": "x"}', "invalid", "$.nmae"),
            (
                b'{"name": "x", "bot_id": "%s", "ladder": [{"connection_id": 1}]}' % (b"0" * 24),
                "invalid",
                "$.ladder[0]",
            ),
        ):
            answer = await api.ask("POST", "/widgets", raw=raw)
            assert answer.status == 400, (raw, answer)
            if code is not None and path is not None:
                assert answer.problem(400, code)["path"].startswith(path), (raw, answer)
        assert len((await api.get("/widgets"))["items"]) == 1
        (await api.ask("GET", "/nothing")).problem(404, "not_found")
        (await api.ask("PUT", "/widgets")).problem(405, "method_not_allowed")
        nested = b'{"name":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
        assert (await api.ask("POST", "/widgets", raw=nested)).status == 400
        huge = b'{"name":"' + b"x" * 100_000 + b'"}'
        (await api.ask("POST", "/widgets", raw=huge)).problem(413, "too_large")


async def test_a_key_that_asks_too_often_is_told_when_to_come_back(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        greedy = await client_with(stage, Scope.WIDGETS_READ)

        async def some() -> list[int]:
            refused = []
            for _ in range(100):
                answer = await greedy.ask("GET", "/bots?limit=0")
                if answer.status == 429:
                    answer.problem(429, "rate_limited")
                    refused.append(int(answer.headers["retry-after"]))
            return refused

        # A burst of 600 and 100 a second: no machine takes fourteen seconds for 2,000 refused requests.
        waits = [wait for found in await asyncio.gather(*(some() for _ in range(20))) for wait in found]
        assert waits
        assert min(waits) >= 1
        assert (await client(stage).ask("GET", "/bots")).status == 200


async def test_odd_bytes_are_refused_and_odd_letters_kept(pair: StorePair) -> None:
    async with staged(pair) as stage:
        api = client(stage)
        conversation = await stage.visit()
        path = f"/conversations/{conversation}/notes"
        for raw in (b'{"text":"\xff"}', b'{"text":"\\ud800"}', b'{"text":"x"} {}', b"\xef\xbb"):
            (await api.ask("POST", path, raw=raw)).problem(400, "malformed_json")
        assert (await api.ask("POST", path, raw=b'{"text":"\\u0000"}')).problem(400, "invalid")["path"] == "$.text"
        text = "\U0001f600 é \u2028 \u202e שלום"
        assert (await api.ask("POST", path, {"text": text})).status == 201
        events = (await api.get(f"/conversations/{conversation}/events"))["items"]
        assert [event["data"]["text"] for event in events if event["type"] == "note.posted"] == [text]
        for query in ("/conversations?search=%ED%A0%80", "/widgets?search=%ff", "/connections?kind=%00"):
            assert (await api.ask("GET", query)).status == 200, query
        for missing in ("/conversations/%00", "/bots/%ED%A0%80", f"/conversations/{conversation}%0A"):
            (await api.ask("GET", missing)).problem(404, "not_found")
