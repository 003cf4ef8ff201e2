"""Coming in: first-run set-up, sign-in, sign-out."""

from __future__ import annotations

import hmac

from litestar import Response, get, post

from warmline.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized
from warmline.web.console.admission import PUBLIC
from warmline.web.console.visit import Visit, Visitation, door_cookie_name, local_path, session_cookie_name

_ANYBODY = {PUBLIC: True}


@get("/sign-in", opt=_ANYBODY)
async def show_sign_in(visit: Visit) -> Response[str]:
    if visit.signed_in is not None:
        return visit.redirect(visit.home)
    if not await visit.ctx.accounts.has_members():
        return visit.redirect("/console/set-up")
    return visit.page("pages/sign_in.html", next=visit.request.query_params.get("next", ""))


@post("/sign-in", opt=_ANYBODY)
async def sign_in(visit: Visit) -> Response[str]:
    form = await visit.form()
    next_path = local_path(form.text("next")) or ""
    try:
        return await _open_session(visit, form.text("email"), form.text("password"), next_path)
    except (Unauthorized, RateLimited) as error:
        response = visit.page("pages/sign_in.html", status=error.status, form=form.with_error(error), next=next_path)
        if isinstance(error, RateLimited):
            response.headers["retry-after"] = str(int(error.retry_after) + 1)
        return response


@post("/sign-out")
async def sign_out(visit: Visit) -> Response[str]:
    await visit.ctx.accounts.sign_out(visit.session)
    visit.set_cookie(session_cookie_name(visit.ctx), "", max_age=0)
    return visit.redirect("/console/sign-in", "signed-out")


@get("/set-up", opt=_ANYBODY)
async def show_set_up(visit: Visit) -> Response[str]:
    if await visit.ctx.accounts.has_members():
        return visit.redirect("/console/sign-in")
    return visit.page("pages/set_up.html", needs_code=bool(visit.ctx.first_run_code))


@post("/set-up", opt=_ANYBODY)
async def set_up(visit: Visit) -> Response[str]:
    form = await visit.form()
    accounts = visit.ctx.accounts
    if await accounts.has_members():
        return visit.redirect("/console/sign-in")
    try:
        _check_code(visit, form.text("code"))
        await accounts.sign_up_first_member(form.text("email"), form.text("name"), form.text("password"))
    except Conflict:
        return visit.redirect("/console/sign-in")
    except Invalid as error:
        return visit.page(
            "pages/set_up.html",
            status=error.status,
            form=form.with_error(error),
            needs_code=bool(visit.ctx.first_run_code),
        )
    return await _open_session(visit, form.text("email"), form.text("password"), "", "set-up")


def _check_code(visit: Visit, code: str) -> None:
    expected = visit.ctx.first_run_code
    if expected and not hmac.compare_digest(expected.encode(), code.strip().encode("utf-8", "surrogatepass")):
        raise Invalid("This is not the code the server printed at its start.", path="$.code", code="code_wrong")


async def _open_session(visit: Visit, email: str, password: str, next_path: str, flash: str = "") -> Response[str]:
    accounts = visit.ctx.accounts
    signed_in, token = await accounts.sign_in(
        email, password, address=visit.address, user_agent=visit.request.headers.get("user-agent", "")
    )
    # A session that was open in this browser ends; the new one has a token nobody has seen before.
    if visit.signed_in is not None:
        await accounts.sign_out(visit.signed_in)
    fresh = Visitation(visit.ctx, visit.request, signed_in)
    fresh.set_cookie(session_cookie_name(visit.ctx), token, max_age=accounts.longest_session_s)
    fresh.set_cookie(door_cookie_name(visit.ctx), "", max_age=0)
    return fresh.redirect(next_path or fresh.home, flash)


DOOR = (show_sign_in, sign_in, sign_out, show_set_up, set_up)
