"""Coming in: first-run set-up, sign-in, sign-out."""

from __future__ import annotations

import hmac

from litestar import Response, get, post

from warmline.kernel.errors import Conflict, Invalid, RateLimited, Unauthorized
from warmline.web.console.admission import PUBLIC
from warmline.web.console.forms import Form
from warmline.web.console.routes_members import check_person
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
    return _set_up_page(visit, Form())


@post("/set-up", opt=_ANYBODY)
async def set_up(visit: Visit) -> Response[str]:
    form = await visit.form()
    accounts = visit.ctx.accounts
    if await accounts.has_members():
        return visit.redirect("/console/sign-in")
    form = check_person(form.checked(lambda: _check_code(visit, form.text("code"))))
    if form.errors:
        return _set_up_page(visit, form, 400)
    try:
        await accounts.sign_up_first_member(form.text("email"), form.text("name"), form.text("password"))
    except Conflict:
        return visit.redirect("/console/sign-in")
    except Invalid as error:
        return _set_up_page(visit, form.with_error(error), error.status)
    return await _open_session(visit, form.text("email"), form.text("password"), "", "set-up")


def _set_up_page(visit: Visit, form: Form, status: int = 200) -> Response[str]:
    return visit.page("pages/set_up.html", status=status, form=form, needs_code=bool(visit.ctx.first_run_code))


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
