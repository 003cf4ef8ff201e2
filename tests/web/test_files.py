"""A visitor's file: sent, bound by its message, seen by the agent, and served so that it can do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from tests.platform.bucket import KEY_ID, REGION, SECRET, running_bucket
from tests.support.files import PDF, png, send_file, try_upload, upload
from tests.support.node import Stage, guest, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import indexed, only_our_desk, signed_in, waiting
from warmline.conversations.attachment_tables import attachments
from warmline.conversations.events import MessagePosted
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import NotFound
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


async def told_of(stage: Stage, conversation: str, file_id: str) -> dict[str, Any]:
    """A file as the visitor's stream tells of it; the bot may have answered since."""
    every = [one for message in await seen(stage, conversation) for one in message["attachments"]]
    return next(one for one in every if one["id"] == file_id)


async def fetch(stage: Stage, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    url = path if path.startswith("http") else stage.base + path
    async with aiohttp.ClientSession() as stranger, stranger.get(url, headers=headers, allow_redirects=False) as reply:
        return reply, await reply.read()


async def test_a_file_reaches_the_agent_and_comes_back_by_its_link(stage: Stage) -> None:
    conversation = await waiting(stage, "Hello")
    picture = png()
    kept = await send_file(stage, conversation, "lamp broken.png", picture, "Look at this")
    assert kept == {"id": kept["id"], "name": "lamp broken.png", "media_type": "image/png", "size": len(picture)}

    shown = await told_of(stage, conversation, kept["id"])
    assert {name: shown[name] for name in kept} == kept
    reply, body = await fetch(stage, shown["url"])
    assert (reply.status, body) == (200, picture)

    async with signed_in(stage) as mina:
        page = await mina.get(f"/console/desk/{conversation}")
        address = f"/console/conversations/{conversation}/files/{kept['id']}"
        assert f'<img src="{address}"' in page.text
        led = await mina.get(address)
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
    reference, page = await fetch(stage, "/api/reference")
    assert (reference.status, b"Upload a file" in page) == (200, True)


async def test_a_list_names_the_file_and_search_finds_it(stage: Stage) -> None:
    conversation = await waiting(stage, "Hello")
    name = f"bill-{uuid7()[-12:]}.pdf"
    await send_file(stage, conversation, name, PDF)
    await indexed(stage, conversation)
    url, key = f"{stage.base}/api/v1/conversations", {"Authorization": f"Bearer {stage.v1_key}"}
    async with stage.http.get(url, params={"search": name.upper()}, headers=key) as reply:
        [found] = (await reply.json())["items"]
    assert (found["id"], found["last_author"], found["last_text"]) == (conversation, "visitor", name)


async def test_one_visitor_cannot_send_without_end(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        conversation = await stage.visit()
        for number in range(20):
            await send_file(stage, conversation, f"{number}.txt", b"x")
        status, answer = await try_upload(stage, conversation, "more.txt", b"x")
        assert (status, answer["code"]) == (429, "rate_limited")


async def shown_file(stage: Stage, name: str, content: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
    """What a browser gets for a file that a visitor has sent."""
    conversation = await stage.visit()
    kept = await send_file(stage, conversation, name, content)
    return await fetch(stage, (await told_of(stage, conversation, kept["id"]))["url"])


@pytest.mark.parametrize(
    ("name", "content", "media_type", "disposition"),
    [
        ("a.png", png(), "image/png", "inline"),
        ("page.png", b"<html><script>alert(1)</script>", "text/html; charset=utf-8", "attachment"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml", "attachment"),
        ("bill.pdf", PDF, "application/pdf", "attachment"),
        ("data.bin", bytes(range(256)), "application/octet-stream", "attachment"),
    ],
)
async def test_a_file_is_served_so_that_it_can_do_nothing(
    stage: Stage, name: str, content: bytes, media_type: str, disposition: str
) -> None:
    reply, body = await shown_file(stage, name, content)
    headers = reply.headers
    assert (reply.status, body, headers["content-type"]) == (200, content, media_type)
    assert headers["content-disposition"].startswith(f"{disposition}; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert headers["cache-control"].startswith("private, max-age=")
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert int(headers["content-length"]) == len(content)


async def test_a_name_is_made_harmless_and_told_in_full(stage: Stage) -> None:
    reply, _body = await shown_file(stage, '../etc/\u202egnp."Größe"\r\n.txt', b"plain")
    told = reply.headers["content-disposition"]
    assert told == "attachment; filename=\"etc_gnp._Gr__e_.txt\"; filename*=UTF-8''etc_gnp._Gr%C3%B6%C3%9Fe_.txt"


async def test_a_forged_or_changed_link_opens_nothing(stage: Stage) -> None:
    conversation = await stage.visit()
    one = await send_file(stage, conversation, "one.txt", b"one")
    other = await send_file(stage, conversation, "other.txt", b"other")
    url = (await told_of(stage, conversation, one["id"]))["url"]
    path, _, query = url.partition("?")
    late = query.replace("expires=", "expires=9")
    forged = [
        path,
        f"{path}?{late}",
        f"{path}?{query[:-2]}xx",
        f"{path.replace(one['id'], other['id'])}?{query}",
        f"{path}?expires=%D9%A1&signature=k.x",
    ]
    for address in forged:
        reply, _body = await fetch(stage, address)
        assert reply.status == 403, address
    reply, _body = await fetch(stage, f"/files/nothing?{query}")
    assert reply.status == 404
    reply, page = await fetch(stage, f"{path}?{late}", Accept="text/html")
    assert reply.status == 403
    assert b"<!doctype html>" in page
    # The name is for people; any other leads to the same file.
    reply, body = await fetch(stage, f"/files/{one['id']}/else?{query}")
    assert (reply.status, body) == (200, b"one")


async def test_only_the_visitor_gets_a_fresh_link(stage: Stage) -> None:
    mine, foreign = await stage.visit(), await stage.visit()
    kept = await send_file(stage, mine, "a.txt", b"a")

    async def ask(conversation: str, token: str) -> int:
        url = f"{stage.base}/widget/files/{kept['id']}?conversation={conversation}"
        async with stage.http.get(url, headers={"Authorization": f"Bearer {token}"}) as reply:
            if reply.status == 200:
                fetched, body = await fetch(stage, (await reply.json())["url"])
                assert (fetched.status, body) == (200, b"a")
            return reply.status

    assert await ask(mine, stage.tokens[mine]) == 200
    assert await ask(foreign, stage.tokens[foreign]) == 404
    assert await ask(mine, stage.tokens[foreign]) == 404
    assert await ask(mine, "nobody") == 401


async def test_what_is_not_accepted_is_refused_by_name(stage: Stage) -> None:
    conversation = await stage.visit()
    other = await stage.visit()

    async def refused(content: Any, name: str = "a.txt", to: str = conversation, **headers: str) -> tuple[int, str]:
        status, answer = await try_upload(stage, to, name, content, **headers)
        return status, answer["code"]

    assert await refused(b"") == (400, "file_empty")
    assert await refused(b"MZ\x90\x00" + bytes(90), "invoice.pdf") == (400, "file_type_refused")
    assert await refused(b"@echo off", "run.bat") == (400, "file_type_refused")
    assert await refused(b"a", **{"X-File-Name": "%ff"}) == (400, "invalid")
    assert await refused(b"a", **{"X-File-Name": ""}) == (400, "invalid")
    assert await refused(b"a", Origin="https://evil.example") == (403, "origin")
    stage.tokens[other], mine = stage.tokens[conversation], stage.tokens[other]
    assert await refused(b"a", to=other) == (404, "no_such_conversation")
    stage.tokens[other] = mine
    await stage.frame(conversation, frame="end")
    assert await refused(b"a") == (409, "closed")


async def test_a_file_belongs_to_one_message_of_one_conversation(stage: Stage) -> None:
    conversation, other = await stage.visit(), await stage.visit()
    kept = await upload(stage, conversation, "a.txt", b"a")
    spare = await upload(stage, conversation, "b.txt", b"b")

    async def say(to: str, *ids: str, **more: Any) -> dict[str, Any]:
        return await stage.frame(to, frame="message", attachments=list(ids), **{"text": ""} | more)

    refused = await say(other, kept["id"])
    assert (refused["frame"], refused["code"], refused["path"]) == ("refused", "no_such_file", "$.attachments[0]")
    refused = await say(conversation, spare["id"], uuid7())
    assert (refused["code"], refused["path"]) == ("no_such_file", "$.attachments[1]")
    refused = await say(conversation, spare["id"], spare["id"])
    assert (refused["code"], refused["path"]) == ("no_such_file", "$.attachments[1]")

    client_id = uuid7()
    sent = await say(conversation, kept["id"], client_id=client_id)
    assert sent["frame"] == "ack"
    assert await say(conversation, kept["id"], client_id=client_id) == sent
    refused = await say(conversation, spare["id"], kept["id"])
    assert (refused["code"], refused["path"]) == ("file_used", "$.attachments[1]")
    assert (await stage.state(conversation)).files == (kept["id"],)
    messages = [event.body for event in await stage.events(conversation) if isinstance(event.body, MessagePosted)]
    assert [[one.id for one in body.attachments] for body in messages if body.author == "visitor"] == [[kept["id"]]]


async def test_too_many_files_at_once_are_put_off(stage: Stage) -> None:
    conversation = await stage.visit()
    for number in range(20):
        await upload(stage, conversation, f"{number}.txt", b"x")
    status, answer = await try_upload(stage, conversation, "more.txt", b"x")
    assert (status, answer["code"]) == (409, "too_many_files")


async def test_a_widget_without_files_takes_none(stage: Stage) -> None:
    widget = await stage.node.widgets.read(stage.widget_id)
    look = msgspec.structs.replace(widget.look, attachments=False)
    await stage.node.widgets.update(msgspec.structs.replace(widget, look=look))
    session = await stage.post("/widget/session", {"widget_id": stage.widget_id})
    assert session["config"]["max_file_bytes"] == 0
    status, answer = await try_upload(stage, await stage.visit(), "a.txt", b"a")
    assert (status, answer["code"]) == (403, "files_off")


async def test_erasure_takes_the_files_with_it(stage: Stage) -> None:
    conversation = await waiting(stage, "Hello")
    bound = await send_file(stage, conversation, "a.txt", b"a")
    loose = await upload(stage, conversation, "b.txt", b"b")
    url = (await told_of(stage, conversation, bound["id"]))["url"]
    folder = stage.node.settings.data / "files"
    paths = [folder / one["id"][-2:] / one["id"] for one in (bound, loose)]
    assert [path.exists() for path in paths] == [True, True]

    api = f"{stage.base}/api/v1/conversations/{conversation}/erase"
    async with stage.http.post(api, headers={"Authorization": f"Bearer {stage.v1_key}"}) as reply:
        assert reply.status == 200
    async with asyncio.timeout(15):
        while any(path.exists() for path in paths):  # noqa: ASYNC110 - nobody is told when a blob is gone
            await asyncio.sleep(0.01)
    reply, _body = await fetch(stage, url)
    assert reply.status == 404
    assert (await stage.state(conversation)).files == ()


async def test_a_file_that_arrives_while_its_visitor_is_erased_does_not_stay(stage: Stage) -> None:
    conversation = await stage.visit()
    arriving, erased = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"half of it"
        arriving.set()
        await erased.wait()
        yield b" and the rest"

    uploading = asyncio.create_task(try_upload(stage, conversation, "a.txt", slowly()))
    await arriving.wait()
    api = f"{stage.base}/api/v1/conversations/{conversation}/erase"
    async with stage.http.post(api, headers={"Authorization": f"Bearer {stage.v1_key}"}) as reply:
        assert reply.status == 200
    erased.set()
    status, answer = await uploading
    assert (status, answer["code"]) == (409, "closed")
    rows = attachments.select().where(attachments.c.conversation_id == conversation)
    assert await stage.node.journal.read(lambda conn: conn.execute(rows).all()) == []


async def test_a_picture_is_not_called_a_page(stage: Stage) -> None:
    conversation = await stage.visit()
    kept = await send_file(stage, conversation, "lamp.html", png(), "Look at this")
    assert (kept["name"], kept["media_type"]) == ("lamp.png", "image/png")
    rows = attachments.update().where(attachments.c.id == kept["id"]).values(name="old.html")
    await stage.node.journal.write(lambda conn: conn.execute(rows))
    reply, _body = await fetch(stage, (await told_of(stage, conversation, kept["id"]))["url"])
    disposition = reply.headers["Content-Disposition"]
    assert ("old.png" in disposition, "html" in disposition) == (True, False), disposition
    status, answer = await try_upload(stage, conversation, "lamp.url", png())
    assert (status, answer["code"]) == (400, "file_type_refused")


async def test_size_is_capped_while_it_arrives(sqlite_pair: StorePair) -> None:
    async def endless(pieces: int = 64) -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield bytes(1_000)

    async with staged(sqlite_pair, max_file_bytes=10_000) as stage:
        conversation = await stage.visit()
        status, answer = await try_upload(stage, conversation, "a.bin", bytes(10_001))
        assert (status, answer["code"], answer["detail"]) == (
            413,
            "file_too_large",
            "This file is too large. At most 10 KB can be sent.",
        )
        status, answer = await try_upload(stage, conversation, "a.bin", endless())
        assert (status, answer["code"]) == (413, "file_too_large")
        # Much more than buffers on the way hold: the refusal has to be readable all the same.
        status, answer = await try_upload(stage, conversation, "a.bin", endless(40_000))
        assert (status, answer["code"]) == (413, "file_too_large")
        assert list((stage.node.settings.data / "incoming").iterdir()) == []
        status, _answer = await try_upload(stage, conversation, "a.bin", bytes(10_000))
        assert status == 201


async def test_what_nobody_sends_is_swept_up_after_a_day(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        conversation = await stage.visit()
        bound, loose = [await upload(stage, conversation, f"{n}.txt", b"x") for n in range(2)]
        await stage.frame(conversation, frame="message", text="", attachments=[bound["id"]])
        files = stage.node.attachments
        left = stage.node.settings.data / "incoming" / "left"
        left.write_bytes(b"half a fi")
        await files.sweep()
        assert left.exists()
        assert (await files.get(loose["id"])).state == "waiting"
        files._clock = ManualClock(stage.node.clock.now() + 25 * 3_600_000)
        refused = await stage.frame(conversation, frame="message", text="", attachments=[loose["id"]])
        assert refused["code"] == "no_such_file"
        await files.sweep()
        assert not left.exists()
        with pytest.raises(NotFound):
            await files.get(loose["id"])
        assert (await files.get(bound["id"])).state == "bound"
        assert await files.read(bound["id"]) == b"x"


async def test_a_bucket_serves_as_well_as_a_folder(sqlite_pair: StorePair) -> None:
    async with running_bucket() as bucket:
        kept_there: dict[str, Any] = {
            "blobs_url": "s3://chat",
            "blobs_endpoint": bucket.base,
            "blobs_region": REGION,
            "blobs_key_id": KEY_ID,
            "blobs_secret": SECRET,
        }
        async with staged(sqlite_pair, **kept_there) as stage:
            content = bytes(range(256)) * 4_000
            reply, body = await shown_file(stage, "data.bin", content)
            assert (reply.status, body) == (200, content)
            assert list(bucket.objects.values()) == [content]
            conversation = await stage.visit()
            bucket.broken = 503
            status, answer = await try_upload(stage, conversation, "a.txt", b"a")
            assert (status, answer["code"]) == (503, "unavailable")
            bucket.broken = 0
            assert (await try_upload(stage, conversation, "a.txt", b"a"))[0] == 201


async def test_a_scan_command_lets_in_refuses_and_fails_closed(sqlite_pair: StorePair, tmp_path: Path) -> None:
    command = tmp_path / "scan.sh"
    command.write_text(
        '#!/bin/sh\ncase "$(cat "$2")" in *virus*) exit 1;; *broken*) exit 2;; *slow*) sleep 60;; esac\n'
    )
    command.chmod(0o700)
    async with staged(sqlite_pair, scan_command=f"{command} --quiet", scan_within_s=1) as stage:
        conversation = await stage.visit()
        answers = {
            text: await try_upload(stage, conversation, "a.txt", text.encode())
            for text in ("clean", "a virus", "broken", "slow")
        }
        assert {text: (status, answer.get("code")) for text, (status, answer) in answers.items()} == {
            "clean": (201, None),
            "a virus": (400, "file_refused"),
            "broken": (503, "scan_failed"),
            "slow": (503, "scan_failed"),
        }
