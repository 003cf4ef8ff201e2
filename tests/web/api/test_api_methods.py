"""OPTIONS and HEAD of every route of the API, as the document lists them."""

from __future__ import annotations

from collections import defaultdict

from tests.support.node import staged
from tests.support.pair import StorePair
from tests.web.api.asking import client, client_with
from tests.web.api.test_api_door import operations

from warmline.accounts.access import Scope


async def test_every_route_says_which_methods_it_has(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        api = client(stage)
        routes: dict[str, set[str]] = defaultdict(set)
        for method, path, _described in await operations(stage):
            routes[path].add(method)
        assert len(routes) > 20
        for path, methods in routes.items():
            expected = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
            for headers in ({}, {"authorization": "Bearer wrong"}, None):
                answer = await api.ask("OPTIONS", path, headers=headers)
                assert (answer.status, answer.body) == (204, None), path
                assert set(answer.headers["allow"].split(", ")) == expected, path
            for method in {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"} - expected:
                refused = await api.ask(method, path)
                assert refused.status == 405, (method, path)
                assert set(refused.headers["allow"].split(", ")) == expected, path
        (await api.ask("OPTIONS", "/nothing")).problem(404, "not_found")


async def test_head_is_get_without_the_body_through_the_same_door(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        api, poor = client(stage), await client_with(stage, Scope.AUDIT_READ)
        conversation = await stage.visit()
        reading = [path for method, path, _described in await operations(stage) if method == "GET"]
        real = [f"/conversations/{conversation}", f"/widgets/{stage.widget_id}", f"/bots/{stage.bot_id}"]
        assert len(reading) > 10
        for path in [*reading, *real]:
            get, head = await api.ask("GET", path), await api.ask("HEAD", path)
            assert (head.status, head.body) == (get.status, None), path
            assert head.headers.keys() == get.headers.keys(), path
            if path in real:
                assert get.status == 200
                assert {n: v for n, v in head.headers.items() if n != "date"} == {
                    n: v for n, v in get.headers.items() if n != "date"
                }
            assert (await api.ask("HEAD", path, headers={})).status == 401, path
            assert (await poor.ask("HEAD", path)).status == 403, path
