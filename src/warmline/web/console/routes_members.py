"""Members: who they are, adding one, roles, disabling."""

from __future__ import annotations

from functools import partial

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.accounts.model import NAME_LENGTH, Role, check_password, fold_email, parse_email, parse_line
from warmline.kernel.errors import Conflict, Invalid
from warmline.web.console.forms import Form
from warmline.web.console.once import once
from warmline.web.console.visit import Visit

_PATH = "/console/members"
_SEE = {"scope": Scope.MEMBERS_READ}
_CHANGE = {"scope": Scope.MEMBERS_WRITE}


@get("/members", opt=_SEE)
async def list_members(visit: Visit) -> Response[str]:
    members = await visit.ctx.accounts.list_members(visit.principal)
    may_change = access.members.may_write(visit.principal)
    return visit.page("pages/members.html", members=members, may_change=may_change)


@get("/members/new", opt=_CHANGE, sync_to_thread=False)
def show_new_member(visit: Visit) -> Response[str]:
    return visit.page("pages/member_new.html")


@post("/members", opt=_CHANGE)
async def create_member(visit: Visit) -> Response[str]:
    form = check_person(await visit.form())
    form = form.checked(lambda: parse_role(form.text("role")))
    if form.errors:
        return visit.page("pages/member_new.html", status=400, form=form)
    try:
        role = parse_role(form.text("role"))
        fields = form.text("email"), form.text("name"), role, form.text("password")
        # The second of two clicks finds the member there, and sees the same page.
        await once(
            visit, "member", partial(visit.ctx.accounts.create_member, visit.principal, *fields), lambda one: one.id
        )
    except (Invalid, Conflict) as error:
        return visit.page("pages/member_new.html", status=error.status, form=form.with_error(error))
    return visit.redirect(_PATH, "member-added")


@get("/members/{member_id:str}", opt=_CHANGE)
async def show_member(visit: Visit, member_id: FromPath[str]) -> Response[str]:
    member = await visit.ctx.accounts.get_member(member_id)
    return visit.page("pages/member.html", member=member)


@post("/members/{member_id:str}/role", opt=_CHANGE)
async def change_role(visit: Visit, member_id: FromPath[str]) -> Response[str]:
    form = await visit.form()
    try:
        await visit.ctx.accounts.change_role(visit.principal, member_id, parse_role(form.text("role")))
    except (Invalid, Conflict) as error:
        member = await visit.ctx.accounts.get_member(member_id)
        return visit.page("pages/member.html", status=error.status, member=member, form=form.with_error(error))
    return visit.redirect(_PATH, "member-role")


@post("/members/{member_id:str}/enabled", opt=_CHANGE)
async def change_enabled(visit: Visit, member_id: FromPath[str]) -> Response[str]:
    form = await visit.form()
    enabled = form.text("enabled") == "yes"
    try:
        await visit.ctx.accounts.set_enabled(visit.principal, member_id, enabled=enabled)
    except Conflict as error:
        member = await visit.ctx.accounts.get_member(member_id)
        return visit.page("pages/member.html", status=error.status, member=member, form=form.with_error(error))
    return visit.redirect(_PATH, "member-enabled" if enabled else "member-disabled")


def check_person(form: Form) -> Form:
    """The form with a sentence under each of name, e-mail address and password that cannot be taken."""
    email = form.text("email")
    return form.checked(
        lambda: parse_line(form.text("name"), path="$.name", longest=NAME_LENGTH),
        lambda: parse_email(email),
        lambda: check_password(form.text("password"), email=fold_email(email)),
    )


def parse_role(text: str) -> Role:
    """Raises Invalid at ``$.role``."""
    try:
        return Role(text)
    except ValueError:
        raise Invalid("Choose a role.", path="$.role", code="role_unknown") from None


MEMBERS = (list_members, show_new_member, create_member, show_member, change_role, change_enabled)
