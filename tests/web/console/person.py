"""Somebody at the console who fills in its forms as a browser would, with and without htmx."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
from tests.support.node import Stage
from tests.web.console.desk_agent import fresh_token

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role
from warmline.kernel.ids import uuid7

PASSWORD = "a long enough password"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')

Fields = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """``text`` is the page's HTML, ``location`` where a redirect leads."""

    status: int
    text: str
    location: str
    policy: str
    disposition: str = ""


@dataclass
class Person:
    """Signed in, with the session's token at hand."""

    base: str
    http: aiohttp.ClientSession
    csrf: str = ""

    async def get(self, path: str) -> Answer:
        """A page, redirects not followed."""
        async with self.http.get(self.base + path, allow_redirects=False) as reply:
            return await _answer(reply)

    async def post(self, path: str, *fields: tuple[str, str], htmx: bool = False) -> Answer:
        """Submit a form; with ``htmx`` as a part of a page, the token in a header."""
        headers = {"origin": self.base}
        if htmx:
            headers |= {"hx-request": "true", "x-csrf-token": self.csrf}
        once = [] if "once" in dict(fields) else [("once", fresh_token())]
        body = aiohttp.FormData([*fields, *once, ("csrf", "" if htmx else self.csrf)])
        async with self.http.post(self.base + path, data=body, headers=headers, allow_redirects=False) as reply:
            return await _answer(reply)

    async def follow(self, answer: Answer) -> str:
        """The page behind a redirect."""
        assert answer.status == 303, (answer.status, answer.text)
        return (await self.get(answer.location)).text


@contextlib.asynccontextmanager
async def signed_in(stage: Stage, role: Role = Role.ADMIN) -> AsyncIterator[Person]:
    """A new member of that role, signed in over HTTP."""
    email = f"{role.value}-{uuid7()}@console.example"
    await stage.node.accounts.create_member(SYSTEM, email, f"The {role.value}", role, PASSWORD)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        person = Person(stage.base, http)
        person.csrf = _token((await person.get("/console/sign-in")).text)
        entered = await person.post("/console/sign-in", ("email", email), ("password", PASSWORD))
        person.csrf = _token(await person.follow(entered) if entered.location else "")
        yield person


async def _answer(reply: aiohttp.ClientResponse) -> Answer:
    where = reply.headers.get("location", "") or reply.headers.get("hx-redirect", "")
    return Answer(
        reply.status,
        await reply.text(),
        where,
        reply.headers.get("content-security-policy", ""),
        reply.headers.get("content-disposition", ""),
    )


def _token(page: str) -> str:
    found = _CSRF.search(page)
    assert found is not None, page[:2000]
    return found[1]
