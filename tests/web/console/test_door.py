"""Coming in: the first run, signing in and out, and what the cookie is like."""

from __future__ import annotations

import re
from http.cookies import Morsel, SimpleCookie

import aiohttp
import pytest
import pytest_asyncio
from multidict import CIMultiDictProxy
from tests.support.node import Stage, staged
from tests.support.pair import StorePair
from tests.web.console.desk_agent import PASSWORD, Agent, signed_in

from warmline.accounts.access import SYSTEM
from warmline.accounts.model import Role
from warmline.accounts.throttle import PER_PAIR
from warmline.kernel.ids import uuid7
from warmline.web.console.visit import local_path

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Door:
    """A client without a cookie jar: every cookie is sent, and seen, by hand."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.email = f"mina-{uuid7()}@desk.example"
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        self.set: dict[str, Morsel[str]] = {}

    async def request(self, method: str, path: str, **fields: str) -> tuple[int, str, CIMultiDictProxy[str]]:
        sent = {
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "origin": self.stage.base,
        }
        body = {"csrf": self.csrf, **fields} if method == "POST" else None
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            url = self.stage.base + path
            async with http.request(method, url, data=body, headers=sent, allow_redirects=False) as answer:
                for header in answer.headers.getall("set-cookie", []):
                    for name, morsel in SimpleCookie(header).items():
                        self.set[name] = morsel
                        self.cookies[name] = morsel.value
                        if morsel["max-age"] == "0":
                            del self.cookies[name]
                text = await answer.text()
                if found := _CSRF.search(text):
                    self.csrf = found[1]
                return answer.status, text, answer.headers

    async def sign_in(self, email: str | None = None, password: str = PASSWORD, **fields: str) -> tuple[int, str, str]:
        """Status, text, and where it leads."""
        fields |= {"email": self.email if email is None else email, "password": password}
        status, text, headers = await self.request("POST", "/console/sign-in", **fields)
        return status, text, headers.get("location", "")


@pytest.fixture
def stage(shared_sqlite_house: Stage) -> Stage:
    return shared_sqlite_house


@pytest_asyncio.fixture(loop_scope="module")
async def door(stage: Stage) -> Door:
    made = Door(stage)
    await stage.node.accounts.create_member(SYSTEM, made.email, "Mina Okafor", Role.AGENT, PASSWORD)
    await made.request("GET", "/console/sign-in")
    return made


async def test_every_refusal_is_the_same_sentence(stage: Stage, door: Door) -> None:
    texts = []
    for email, password in (
        (door.email, "wrong password"),
        ("nobody@desk.example", PASSWORD),
        ("", ""),
        ("<b>", "\"'"),
    ):
        status, text, _location = await door.sign_in(email, password)
        assert status == 401
        assert "The e-mail address or the password is not right." in text
        assert password not in text or not password
        texts.append(text.replace(f'value="{email}"', 'value=""').replace("&lt;b&gt;", ""))
    assert texts[0] == texts[1] == texts[2]
    assert "warmline_session" not in door.cookies


async def test_too_many_tries_are_told_when_to_come_back(stage: Stage, door: Door) -> None:
    for _ in range(PER_PAIR.tries):
        await door.sign_in(password="wrong password")
    status, text, headers = await door.request("POST", "/console/sign-in", email=door.email, password=PASSWORD)
    assert status == 429
    assert 1 <= int(headers["retry-after"]) <= PER_PAIR.window // 1000 + 1
    assert "Too many attempts" in text
    assert "warmline_session" not in door.cookies


OUTSIDE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/console\\..\\evil",
    "/console//evil.example",
    "/console/../evil",
    "/consolevil",
    "/console@evil.example",
    "/widget/loader.js",
    "javascript:alert(1)",
    "/console/\r\nset-cookie: a=b",
    "/console/\tdesk",
    " /console/desk",
    "/console/désk",
]


@pytest.mark.parametrize("target", OUTSIDE)
async def test_nobody_is_sent_elsewhere_after_signing_in(door: Door, target: str) -> None:
    assert local_path(target) is None
    status, _text, location = await door.sign_in(next=target)
    assert (status, location) == (303, "/console/desk")


async def test_one_comes_back_to_where_one_wanted_to_go(stage: Stage, door: Door) -> None:
    status, _text, headers = await door.request("GET", "/console/conversations?q=a%26b")
    assert (status, headers["location"][:22]) == (303, "/console/sign-in?next=")
    _status, page, _headers = await door.request("GET", headers["location"])
    found = re.search(r'name="next" value="([^"]+)"', page)
    assert found
    status, _text, location = await door.sign_in(next=found[1].replace("&amp;", "&"))
    assert (status, location) == (303, "/console/conversations?q=a%26b")


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(door: Door) -> None:
    await door.sign_in()
    for name in ("warmline_session", "warmline_door"):
        cookie = door.set[name]
        assert (cookie["httponly"], cookie["samesite"].lower(), cookie["secure"]) == (True, "lax", "")
        assert cookie["path"] == "/console"
        assert cookie["domain"] == ""


async def test_over_https_the_cookie_insists_on_https_and_on_this_host(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair, public_url="https://chat.example") as stage:
        await stage.node.accounts.create_member(SYSTEM, (door := Door(stage)).email, "Mina", Role.AGENT, PASSWORD)
        _status, _text, headers = await door.request("GET", "/console/sign-in")
        assert headers["strict-transport-security"]
        assert (await door.sign_in())[0] == 303
        for name in ("__Host-warmline_session", "__Host-warmline_door"):
            cookie = door.set[name]
            assert (cookie["httponly"], cookie["samesite"].lower(), cookie["secure"]) == (True, "lax", True)
            assert (cookie["path"], cookie["domain"]) == ("/", "")
        assert (await door.request("GET", "/console/account"))[0] == 200


async def test_signing_in_gives_a_token_that_nobody_has_seen_before(stage: Stage, door: Door) -> None:
    door.cookies["warmline_session"] = "planted-by-somebody-else"
    await door.sign_in()
    first, first_csrf = door.cookies["warmline_session"], door.csrf
    assert first != "planted-by-somebody-else"
    assert await stage.node.accounts.find_session("planted-by-somebody-else") is None
    await door.request("GET", "/console/account")
    assert door.csrf != first_csrf  # the form token is the session's now

    assert (await door.sign_in())[0] == 303  # again, from within a session
    second = door.cookies["warmline_session"]
    assert second != first
    assert await stage.node.accounts.find_session(first) is None
    assert await stage.node.accounts.find_session(second)


async def test_the_door_token_is_worth_nothing_inside(door: Door) -> None:
    token = door.csrf
    await door.sign_in()
    door.csrf = token
    assert (await door.request("POST", "/console/account/name", name="Other"))[0] == 403


async def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(stage: Stage, door: Door) -> None:
    await door.sign_in()
    kept = dict(door.cookies)
    await door.request("GET", "/console/account")
    status, _text, headers = await door.request("POST", "/console/sign-out")
    assert (status, headers["location"]) == (303, "/console/sign-in")
    assert "warmline_session" not in door.cookies
    _status, text, _headers = await door.request("GET", "/console/sign-in")
    assert "You are signed out." in text
    door.cookies = kept
    status, _text, headers = await door.request("GET", "/console/account")
    assert (status, headers["location"]) == (303, "/console/sign-in?next=/console/account")


async def test_a_disabled_or_demoted_member_stops_at_once(stage: Stage) -> None:
    accounts = stage.node.accounts
    async with signed_in(stage, "Ada One", Role.ADMIN) as ada, signed_in(stage, "Bo Two", Role.ADMIN) as bo:
        assert (await bo.get("/console/keys")).status == 200
        assert (await ada.post(f"/console/members/{bo.id}/role", {"role": "agent"})).status == 303
        assert (await bo.get("/console/keys")).status == 403
        assert (await bo.post("/console/keys", {"label": "k", "scopes": "audit:read"})).status == 403
        assert (await ada.post(f"/console/members/{bo.id}/enabled", {"enabled": "no"})).status == 303
        assert (await bo.get("/console/account")).location.startswith("/console/sign-in")
        assert (await accounts.get_member(bo.id)).disabled_at


async def test_the_flash_cookie_cannot_carry_words(door: Door) -> None:
    door.cookies["warmline_flash"] = "<script>alert(1)</script>"
    _status, text, _headers = await door.request("GET", "/console/sign-in")
    assert "alert(1)" not in text


async def test_the_first_run_asks_for_the_code_and_happens_once(pair: StorePair) -> None:
    async with staged(pair) as stage:
        door = Door(stage)
        path = stage.node.settings.data / "first-run-code.txt"
        code = path.read_text(encoding="ascii").strip()
        assert path.stat().st_mode & 0o777 == 0o600
        assert (await door.request("GET", "/console/sign-in"))[2]["location"] == "/console/set-up"
        _status, text, _headers = await door.request("GET", "/console/set-up")
        assert 'name="code"' in text
        assert code not in text
        person = {"name": "Ada", "email": "ada@desk.example", "password": PASSWORD}
        for wrong in ("", code[:-1], code + "0", "\u00fc"):
            status, text, _headers = await door.request("POST", "/console/set-up", code=wrong, **person)
            assert (status, "not the code" in text) == (400, True)
            assert PASSWORD not in text
        weak = await door.request("POST", "/console/set-up", code=code, **(person | {"password": "short"}))
        assert (weak[0], "at least 10 characters" in weak[1]) == (400, True)
        assert not await stage.node.accounts.has_members()

        status, _text, headers = await door.request("POST", "/console/set-up", code=f" {code} ", **person)
        assert (status, headers["location"]) == (303, "/console/desk")
        assert "first administrator" in (await door.request("GET", "/console/account"))[1]
        [ada] = await stage.node.accounts.list_members(SYSTEM)
        assert ada.role == Role.ADMIN

        late = Door(stage)
        await late.request("GET", "/console/sign-in")
        for tried in (code, "guess"):
            again = await late.request("POST", "/console/set-up", code=tried, **(person | {"email": "b@desk.example"}))
            assert (again[0], again[2]["location"]) == (303, "/console/sign-in")
        assert (await late.request("GET", "/console/set-up"))[2]["location"] == "/console/sign-in"
        assert len(await stage.node.accounts.list_members(SYSTEM)) == 1


async def test_signed_in_people_are_not_asked_to_sign_in(stage: Stage) -> None:
    async with signed_in(stage, "Jon Tallis") as jon:
        assert isinstance(jon, Agent)
        assert (await jon.get("/console/sign-in")).location == "/console/desk"
        assert (await jon.get("/console")).location == "/console/desk"
