"""A visitor's file: sent, bound by its message, seen by the agent, and served so that it can do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from tests.support.files import PDF, png, send_file, try_upload, upload
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import only_our_desk, signed_in, waiting

from warmline.conversations.events import MessagePosted
from warmline.kernel.ids import uuid7


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_house: Stage) -> AsyncIterator[Stage]:
    async with guest(shared_house) as opened:
        await only_our_desk(opened)
        yield opened


async def seen(stage: Stage, conversation: str) -> list[dict[str, Any]]:
    """The messages as the visitor's stream tells them."""
    async with stage.http.ws_connect(f"{stage.base}/widget/ws", headers={"Origin": stage.base}) as ws:
        await ws.send_json({"frame": "hello", "token": stage.tokens[conversation], "conversation": conversation})
        sync = await ws.receive_json(timeout=15)
        return [event["data"] for event in sync["events"] if event["type"] == "message.posted"]


async def fetch(stage: Stage, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    url = path if path.startswith("http") else stage.base + path
    async with aiohttp.ClientSession() as stranger, stranger.get(url, headers=headers, allow_redirects=False) as reply:
        return reply, await reply.read()


async def test_a_file_reaches_the_agent_and_comes_back_by_its_link(stage: Stage) -> None:
    conversation = await waiting(stage, "Hello")
    picture = png()
    kept = await send_file(stage, conversation, "lamp broken.png", picture, "Look at this")
    assert kept == {"id": kept["id"], "name": "lamp broken.png", "media_type": "image/png", "size": len(picture)}

    last = (await seen(stage, conversation))[-1]
    assert last["text"] == "Look at this"
    assert {name: last["attachments"][0][name] for name in kept} == kept
    reply, body = await fetch(stage, last["attachments"][0]["url"])
    assert (reply.status, body) == (200, picture)

    async with signed_in(stage) as mina:
        page = await mina.get(f"/console/desk/{conversation}")
        shown = f"/console/conversations/{conversation}/files/{kept['id']}"
        assert f'<img src="{shown}"' in page.text
        led = await mina.get(shown)
        assert led.status == 303
        reply, body = await fetch(stage, led.location)
        assert (reply.status, body) == (200, picture)


async def test_a_program_uploads_speaks_with_the_file_and_reads_it_in_the_transcript(stage: Stage) -> None:
    conversation = await waiting(stage, "Hello")
    async with signed_in(stage) as mina:
        await mina.post(f"/console/desk/{conversation}/take")
    api = f"{stage.base}/api/v1/conversations/{conversation}"
    key = {"Authorization": f"Bearer {stage.v1_key}"}
    async with stage.http.post(f"{api}/files", data=PDF, headers=key | {"X-File-Name": "bill.pdf"}) as reply:
        kept = await reply.json()
        assert (reply.status, kept["media_type"], kept["size"]) == (201, "application/pdf", len(PDF))
    epoch = (await stage.state(conversation)).owner_epoch
    body = {"owner_epoch": epoch, "attachments": [kept["id"]]}
    async with stage.http.post(f"{api}/messages", json=body, headers=key) as reply:
        assert reply.status == 201, await reply.text()
    async with stage.http.post(f"{api}/messages", json=body, headers=key) as reply:
        assert (reply.status, (await reply.json())["code"]) == (400, "file_used")
    async with stage.http.post(f"{api}/messages", json={"owner_epoch": epoch}, headers=key) as reply:
        assert (reply.status, (await reply.json())["path"]) == (400, "$.text")
    async with stage.http.get(f"{api}/transcript", headers=key) as reply:
        last = (await reply.json())["items"][-1]
    [file] = last["attachments"]
    assert {name: file[name] for name in kept} == kept
    fetched, content = await fetch(stage, file["url"])
    assert (fetched.status, content) == (200, PDF)
