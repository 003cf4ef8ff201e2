"""One request to the console: who it is, what was submitted, and how to answer."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency

from warmline.accounts.access import Principal, member_principal
from warmline.accounts.model import Member, SignedIn
from warmline.kernel.errors import Unauthorized
from warmline.web.console import flashes
from warmline.web.console.context import ConsoleContext
from warmline.web.console.form_tokens import new_token
from warmline.web.console.forms import MAX_BODY, Form, read_form
from warmline.web.console.navigation import home, visible_groups
from warmline.web.security import UNKNOWN_ADDRESS

THEME_COOKIE = "warmline_theme"
_NOBODY = Principal("anonymous", frozenset())


class Visitation:
    """Handlers get it as ``visit``; templates see it under the same name."""

    def __init__(self, ctx: ConsoleContext, request: Request[Any, Any, Any], signed_in: SignedIn | None) -> None:
        self.ctx = ctx
        self.request = request
        self.signed_in = signed_in
        self.principal = member_principal(signed_in.member) if signed_in else _NOBODY
        self._form: Form | None = None
        self._cookies: list[Cookie] = []
        self._door_token = request.cookies.get(door_cookie_name(ctx), "")

    @property
    def member(self) -> Member:
        """Who is signed in.  Raises Unauthorized when nobody is."""
        return self.session.member

    @property
    def session(self) -> SignedIn:
        """Session and member.  Raises Unauthorized when nobody is signed in."""
        if self.signed_in is None:
            raise Unauthorized
        return self.signed_in

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks, for a part of the page only."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def address(self) -> str:
        """The client's address, after trusted proxies."""
        client = self.request.client
        return client.host if client else UNKNOWN_ADDRESS

    @property
    def csrf(self) -> str:
        """The token every form of this visit carries: the session's, or one of its own before signing in."""
        if self.signed_in is not None:
            return self.signed_in.session.csrf
        if not self._door_token:
            self._door_token = secrets.token_urlsafe(24)
            self.set_cookie(door_cookie_name(self.ctx), self._door_token)
        return self._door_token

    def accepts_csrf(self, token: str) -> bool:
        """Whether a submitted token is this visit's."""
        own = self.signed_in.session.csrf if self.signed_in else self._door_token
        return bool(own) and hmac.compare_digest(own.encode(), token.encode("utf-8", "surrogatepass"))

    @property
    def once(self) -> str:
        """A fresh token for a form that makes something: sent twice, it makes one."""
        return new_token(self.ctx.clock.now())

    async def form(self) -> Form:
        """The submitted form, read once; ``opt={"max_form": bytes}`` of a route raises the limit.

        Raises Invalid or TooLarge.
        """
        if self._form is None:
            limit = self.request.route_handler.opt.get("max_form", MAX_BODY)
            self._form = await read_form(self.request, limit)
        return self._form

    async def is_still_signed_in(self) -> bool:
        """Whether a long answer may go on: the same session, with the same powers."""
        token = self.request.cookies.get(session_cookie_name(self.ctx), "")
        found = await self.ctx.accounts.find_session(token, in_use=False) if token else None
        return found is not None and member_principal(found.member) == self.principal

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response[str]:
        """A whole page, never cached.  The flash message, if any, is shown once."""
        name = self.request.cookies.get(flashes.COOKIE, "")
        flash = flashes.FLASHES.get(name)
        html = self.ctx.renderer.render(
            template,
            visit=self,
            form=values.pop("form", None) or Form(),
            flash=flash,
            theme=self._theme(),
            direction=values.pop("direction", "ltr"),
            groups=visible_groups(self.ctx.entries, self.principal),
            home=self.home,
            alarms=self.ctx.alarms(self.principal),
            **values,
        )
        if name:
            self.set_cookie(flashes.COOKIE, "", max_age=0)
        return self._respond(html, status)

    def fragment(self, template: str, *, status: int = 200, **values: Any) -> Response[str]:
        """A part of a page for htmx to put in."""
        return self._respond(self.ctx.renderer.render(template, visit=self, **values), status)

    def redirect(self, path: str, flash: str = "") -> Response[str]:
        """See ``path`` (303), with a sentence from ``flashes``.  Raises KeyError for an unknown one."""
        if flash:
            _ = flashes.FLASHES[flash]
            self.set_cookie(flashes.COOKIE, flash, max_age=60)
        headers = {"hx-redirect": path} if self.is_fragment else {"location": path}
        return self._respond("", 204 if self.is_fragment else 303, headers)

    @property
    def home(self) -> str:
        """The first page this member may open."""
        return home(self.ctx.entries, self.principal)

    def set_cookie(self, name: str, value: str, max_age: int | None = None) -> None:
        """Send a cookie with the answer: never readable by scripts, never on requests other sites start by POST."""
        path = "/" if name.startswith("__Host-") else "/console"
        self._cookies.append(
            Cookie(
                name, path=path, value=value, max_age=max_age, httponly=True, secure=self.ctx.is_secure, samesite="lax"
            )
        )

    def _theme(self) -> str:
        chosen = self.request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in {"light", "dark"} else ""

    def _respond(self, html: str, status: int, headers: dict[str, str] | None = None) -> Response[str]:
        every = {"cache-control": "no-store", "vary": "cookie, hx-request", **(headers or {})}
        cookies: Sequence[Cookie] = self._cookies
        return Response(html, status_code=status, media_type=MediaType.HTML, headers=every, cookies=list(cookies))


def session_cookie_name(ctx: ConsoleContext) -> str:
    """``__Host-`` binds the cookie to this very host; browsers accept that on https only."""
    return "__Host-warmline_session" if ctx.is_secure else "warmline_session"


def door_cookie_name(ctx: ConsoleContext) -> str:
    """The cookie that guards the sign-in form itself against forged submissions."""
    return "__Host-warmline_door" if ctx.is_secure else "warmline_door"


def local_path(text: str) -> str | None:
    """``text`` when it is a path within the console, else None: nobody is sent to another site after signing in."""
    if not text.startswith("/console") or text[len("/console") :][:1] not in {"", "/", "?"}:
        return None
    if "\\" in text or "//" in text.partition("?")[0] or not text.isprintable() or not text.isascii() or ".." in text:
        return None
    return text


Visit = NamedDependency[Visitation]
"""How a handler asks for it: ``visit: Visit``."""
