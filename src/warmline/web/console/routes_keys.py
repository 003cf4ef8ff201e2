"""API keys: list, make (shown once), rotate with overlap, revoke."""

from __future__ import annotations

from functools import partial

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import KEY_SCOPES, Scope
from warmline.accounts.model import LABEL_LENGTH, NewKey, parse_line
from warmline.kernel.clock import DAY, SECOND
from warmline.kernel.errors import Conflict, Forbidden, Invalid
from warmline.web.console.forms import Form
from warmline.web.console.once import already_page, once
from warmline.web.console.visit import Visit

_PATH = "/console/keys"
_SEE = {"scope": Scope.KEYS_READ}
_CHANGE = {"scope": Scope.KEYS_WRITE}
OVERLAPS = ((0, "At once"), (3600, "In one hour"), (86_400, "In one day"), (604_800, "In one week"))
LIFETIMES = ((0, "Never"), (30, "In 30 days"), (90, "In 90 days"), (365, "In one year"))


@get("/keys", opt=_SEE)
async def list_keys(visit: Visit) -> Response[str]:
    keys = await visit.ctx.api_keys.list_keys(visit.principal, kind="v1")
    return visit.page(
        "pages/keys.html", keys=keys, now=visit.ctx.clock.now(), may_change=access.keys.may_write(visit.principal)
    )


@get("/keys/new", opt=_CHANGE, sync_to_thread=False)
def show_new_key(visit: Visit) -> Response[str]:
    return _new_page(visit)


@post("/keys", opt=_CHANGE)
async def create_key(visit: Visit) -> Response[str]:
    form = await visit.form()
    form = form.checked(
        lambda: parse_line(form.text("label"), path="$.label", longest=LABEL_LENGTH),
        lambda: access.parse_scopes(form.texts("scopes"), granted_by=visit.principal),
        lambda: _days(form),
    )
    if form.errors:
        return _new_page(visit, form, 400)
    try:
        outcome = await once(visit, "key", partial(_make, visit, form, _days(form)), lambda new: new.record.id)
    except (Invalid, Forbidden) as error:
        return _new_page(visit, form.with_error(error), error.status)
    if outcome.made is None:
        return _already(visit, outcome.id)
    # Shown in the answer to the POST itself: a redirect would have to carry or keep the clear key.
    return visit.page("pages/key_shown.html", status=201, new=outcome.made, replaced=None)


@get("/keys/{key_id:str}", opt=_CHANGE)
async def show_key(visit: Visit, key_id: FromPath[str]) -> Response[str]:
    return await _key_page(visit, key_id)


@post("/keys/{key_id:str}/rotate", opt=_CHANGE)
async def rotate_key(visit: Visit, key_id: FromPath[str]) -> Response[str]:
    form = await visit.form()
    try:
        overlap = _number(form.text("overlap"), {seconds for seconds, _ in OVERLAPS}, "$.overlap")
        rotate = partial(visit.ctx.api_keys.rotate, visit.principal, key_id, overlap)
        outcome = await once(visit, f"key {key_id}", rotate, lambda new: new.record.id)
    except (Invalid, Conflict) as error:
        return await _key_page(visit, key_id, form.with_error(error), error.status)
    if outcome.made is None:
        return _already(visit, outcome.id)
    ends_at = visit.ctx.clock.now() + overlap * SECOND
    return visit.page("pages/key_shown.html", status=201, new=outcome.made, replaced=ends_at)


@post("/keys/{key_id:str}/revoke", opt=_CHANGE)
async def revoke_key(visit: Visit, key_id: FromPath[str]) -> Response[str]:
    await visit.ctx.api_keys.revoke(visit.principal, key_id)
    return visit.redirect(_PATH, "key-revoked")


async def _make(visit: Visit, form: Form, days: int) -> NewKey:
    return await visit.ctx.api_keys.create(
        visit.principal,
        kind="v1",
        label=form.text("label"),
        scopes=form.texts("scopes"),
        expires_at=visit.ctx.clock.now() + days * DAY if days else None,
    )


def _already(visit: Visit, key_id: str) -> Response[str]:
    links = [("Rotate or revoke it", f"{_PATH}/{key_id}")] if key_id else []
    return already_page(
        visit,
        "This key is made already",
        "A key is shown once only, right after it is made. If nobody has copied it, rotate it to get another, or revoke "
        "it.",
        [*links, ("Make another key", f"{_PATH}/new"), ("All keys", _PATH)],
    )


def _new_page(visit: Visit, form: Form | None = None, status: int = 200) -> Response[str]:
    scopes = [scope for scope in KEY_SCOPES if scope in visit.principal.scopes]
    return visit.page("pages/key_new.html", status=status, form=form, scopes=scopes, lifetimes=LIFETIMES)


async def _key_page(visit: Visit, key_id: str, form: Form | None = None, status: int = 200) -> Response[str]:
    key = await visit.ctx.api_keys.get(visit.principal, key_id)
    now = visit.ctx.clock.now()
    return visit.page("pages/key.html", status=status, form=form, key=key, now=now, overlaps=OVERLAPS)


def _days(form: Form) -> int:
    return _number(form.text("lifetime", "0"), {days for days, _ in LIFETIMES}, "$.lifetime")


def _number(text: str, allowed: set[int], path: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) not in allowed:
        raise Invalid("Choose one of the given answers.", path=path, code="choice_unknown")
    return int(text[:9])


KEYS = (list_keys, show_new_key, create_key, show_key, rotate_key, revoke_key)
