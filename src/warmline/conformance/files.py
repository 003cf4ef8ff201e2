"""Cases: files, both ways."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from warmline.conformance.case import Topic, Tried, case, until
from warmline.handover.port import Grade
from warmline.simulators.samples import PICTURE_NAME, picture

_LINK = re.compile(r"https?://\S+")


@case(Topic.CONTENT, Grade.SILVER, "A visitor's picture reaches the agent: as a file, or as a safe link that expires")
async def visitor_file(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    sent = await tried.stand.upload(conversation, PICTURE_NAME, picture())
    await tried.stand.frame(conversation, frame="message", text="Like this one.", attachments=[sent])
    if not tried.can.attachments:
        await _as_link(tried, talk)
        return
    await until(lambda: bool(tried.rig.files(talk)), "the agent has the file")
    (file,) = tried.rig.files(talk)
    # A vendor may name an upload itself; the kind of file has to stay.
    assert file.name.endswith(".png"), file.name
    if file.url:
        await _is_safe(tried, file.url)
    else:
        assert file.body == picture(), "the agent has other bytes"
    await until(lambda: "Like this one." in "\n".join(tried.rig.heard(talk)), "the agent has the words")


async def _as_link(tried: Tried, talk: str) -> None:
    await until(lambda: bool(_LINK.search("\n".join(tried.rig.heard(talk)))), "the agent has a link")
    said = "\n".join(tried.rig.heard(talk))
    found = _LINK.search(said)
    assert "Like this one." in said, said
    assert found, said
    await _is_safe(tried, found[0])


async def _is_safe(tried: Tried, url: str) -> None:
    status, headers, body = await _get(tried, url)
    assert (status, body) == (200, picture()), f"the link answers {status}"
    assert headers.get("x-content-type-options") == "nosniff", headers
    assert "sandbox" in headers.get("content-security-policy", ""), headers
    query = parse_qs(urlsplit(url).query)
    signed = [value for (value,) in query.values() if len(value) > 20]
    assert signed, "the link is not signed"
    forged = signed[0][:-1] + ("A" if signed[0][-1] != "A" else "B")
    status, _headers, body = await _get(tried, url.replace(signed[0], forged))
    assert status in {403, 404, 410}, f"a forged link answers {status}"
    assert picture() not in body


@case(Topic.CONTENT, Grade.SILVER, "An agent's picture is shown to the visitor, from here and not from the vendor")
async def agent_file(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    _name, sent = await tried.rig.sends_file(talk)
    found: list[Any] = []

    async def look() -> bool:
        events = await tried.stand.events(conversation)
        posted = [one.body for one in events if one.type == "message.posted" and one.body.author == "agent"]
        found[:] = [file for body in posted for file in body.attachments]
        return bool(found)

    await tried.stand.until_true(look, "the visitor has the file")
    link = await tried.stand.file_link(conversation, found[0].id)
    status, headers, body = await _get(tried, link)
    assert (status, body) == (200, sent), f"the file answers {status} with {len(body)} bytes"
    assert headers.get("content-type", "").startswith("image/"), headers
    await tried.stand.say(conversation, "Thank you.")
    await until(lambda: "Thank you." in tried.rig.heard(talk), "the talk goes on")


async def _get(tried: Tried, url: str) -> tuple[int, dict[str, str], bytes]:
    async with tried.stand.http.get(url if "://" in url else tried.stand.base + url) as reply:
        return reply.status, {name.lower(): value for name, value in reply.headers.items()}, await reply.read()
