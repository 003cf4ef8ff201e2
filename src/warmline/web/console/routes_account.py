"""The member's own account: name, password, signed-in browsers."""

from __future__ import annotations

from litestar import Response, get, post

from warmline.kernel.errors import Invalid, RateLimited
from warmline.web.console.forms import Form
from warmline.web.console.visit import Visit

_PATH = "/console/account"


@get("/account")
async def show_account(visit: Visit) -> Response[str]:
    return await _page(visit)


@post("/account/name")
async def change_name(visit: Visit) -> Response[str]:
    form = await visit.form()
    try:
        await visit.ctx.accounts.change_name(visit.session, form.text("name"))
    except Invalid as error:
        return await _page(visit, form.with_error(error), error.status)
    return visit.redirect(_PATH, "name-changed")


@post("/account/password")
async def change_password(visit: Visit) -> Response[str]:
    form = await visit.form()
    try:
        await visit.ctx.accounts.change_password(visit.session, form.text("current"), form.text("password"))
    except (Invalid, RateLimited) as error:
        return await _page(visit, form.with_error(error), error.status)
    return visit.redirect(_PATH, "password-changed")


@post("/account/sign-out-everywhere")
async def sign_out_everywhere(visit: Visit) -> Response[str]:
    await visit.ctx.accounts.sign_out_everywhere(visit.session)
    return visit.redirect(_PATH, "signed-out-everywhere")


async def _page(visit: Visit, form: Form | None = None, status: int = 200) -> Response[str]:
    sessions = await visit.ctx.accounts.list_sessions(visit.member.id)
    return visit.page("pages/account.html", status=status, form=form, sessions=sessions)


ACCOUNT = (show_account, change_name, change_password, sign_out_everywhere)
