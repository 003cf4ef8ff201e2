"""What lets a connection's two sides trust each other: the signing secret, and the keys with which it calls us."""

from __future__ import annotations

from functools import partial

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts.model import ApiKey
from warmline.handover.connections import Connection
from warmline.kernel.clock import SECOND
from warmline.kernel.errors import Conflict, Invalid, NotFound
from warmline.web.console import connections_form
from warmline.web.console.administration import administration
from warmline.web.console.connections import CHANGE, PATH, SEE, connection_page, kind_of
from warmline.web.console.forms import Form
from warmline.web.console.once import already_page, once
from warmline.web.console.routes_keys import OVERLAPS
from warmline.web.console.visit import Visit


@get("/connections/{connection_id:str}/keys", opt=SEE)
async def show_keys(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    return await _keys_page(visit, administration(visit).connections.get(connection_id), Form())


@post("/connections/{connection_id:str}/keys", opt=CHANGE)
async def create_wire_key(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    form, connection = await visit.form(), administration(visit).connections.get(connection_id)
    if connection.kind not in connections_form.WIRED:
        raise NotFound("This kind of connection has no keys.")
    try:
        make = partial(
            visit.ctx.api_keys.create,
            visit.principal,
            kind="wire",
            label=form.text("label"),
            connection_id=connection_id,
        )
        outcome = await once(visit, f"wire key of {connection_id}", make, lambda new: new.record.id)
    except Invalid as error:
        return await _keys_page(visit, connection, form.with_error(error), error.status)
    if outcome.made is None:
        return _already(visit, connection_id, outcome.id)
    return visit.page(
        "pages/connection_key_shown.html", status=201, connection=connection, new=outcome.made, replaced=None
    )


@get("/connections/{connection_id:str}/keys/{key_id:str}", opt=CHANGE)
async def show_wire_key(visit: Visit, connection_id: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    return await _key_page(visit, connection_id, key_id)


@post("/connections/{connection_id:str}/keys/{key_id:str}/rotate", opt=CHANGE)
async def rotate_wire_key(visit: Visit, connection_id: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    form = await visit.form()
    connection, _key = await _find(visit, connection_id, key_id)
    try:
        overlap = _overlap(form)
        rotate = partial(visit.ctx.api_keys.rotate, visit.principal, key_id, overlap)
        outcome = await once(visit, f"key {key_id}", rotate, lambda new: new.record.id)
    except (Invalid, Conflict) as error:
        return await _key_page(visit, connection_id, key_id, form.with_error(error), error.status)
    if outcome.made is None:
        return _already(visit, connection_id, outcome.id)
    ends_at = visit.ctx.clock.now() + overlap * SECOND
    return visit.page(
        "pages/connection_key_shown.html", status=201, connection=connection, new=outcome.made, replaced=ends_at
    )


@post("/connections/{connection_id:str}/keys/{key_id:str}/revoke", opt=CHANGE)
async def revoke_wire_key(visit: Visit, connection_id: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    await _find(visit, connection_id, key_id)
    await visit.ctx.api_keys.revoke(visit.principal, key_id)
    return visit.redirect(f"{PATH}/{connection_id}/keys", "key-revoked")


@post("/connections/{connection_id:str}/secrets/{name:str}/rotate", opt=CHANGE)
async def rotate_secret(visit: Visit, connection_id: FromPath[str], name: FromPath[str]) -> Response[str]:
    at, form = administration(visit), await visit.form()
    connection = at.connections.get(connection_id)
    try:
        overlap = _overlap(form)
        rotate = partial(at.connections.rotate_secret, visit.principal, connection_id, name, overlap_s=overlap)
        outcome = await once(visit, f"secret {name} of {connection_id}", rotate, lambda new: new.connection.id)
    except Invalid as error:
        return await _keys_page(visit, connection, form.with_error(error), error.status)
    if outcome.made is None:
        return already_page(
            visit,
            "This secret is made already",
            "A secret is shown once only, right after it is made. If nobody has copied it, rotate it again.",
            [("Rotate it again", f"{PATH}/{connection_id}/keys"), ("The connection", f"{PATH}/{connection_id}")],
        )
    new = outcome.made
    return visit.page(
        "pages/connection_secrets.html",
        status=201,
        connection=new.connection,
        secrets=connections_form.labels(kind_of(visit, connection), new.secrets),
        is_new=False,
        until=visit.ctx.clock.now() + overlap * SECOND if overlap else None,
    )


def _already(visit: Visit, connection_id: str, key_id: str) -> Response[str]:
    base = f"{PATH}/{connection_id}/keys"
    links = [("Rotate or revoke it", f"{base}/{key_id}")] if key_id else []
    return already_page(
        visit,
        "This key is made already",
        "A key is shown once only, right after it is made. If nobody has copied it, rotate it to get another, or revoke "
        "it.",
        [*links, ("Make another key", base)],
    )


async def _find(visit: Visit, connection_id: str, key_id: str) -> tuple[Connection, ApiKey]:
    connection = administration(visit).connections.get(connection_id)
    key = await visit.ctx.api_keys.get(visit.principal, key_id)
    if key.connection_id != connection_id:
        raise NotFound("There is no such key.")
    return connection, key


async def _keys_page(visit: Visit, connection: Connection, form: Form, status: int = 200) -> Response[str]:
    keys = await visit.ctx.api_keys.list_keys(visit.principal, kind="wire", connection_id=connection.id)
    return await connection_page(
        visit,
        connection,
        "keys",
        status=status,
        form=form,
        keys=keys,
        now=visit.ctx.clock.now(),
        secrets=connections_form.generated(kind_of(visit, connection)),
        overlaps=OVERLAPS,
    )


async def _key_page(
    visit: Visit, connection_id: str, key_id: str, form: Form | None = None, status: int = 200
) -> Response[str]:
    connection, key = await _find(visit, connection_id, key_id)
    return visit.page(
        "pages/connection_key.html",
        status=status,
        form=form,
        connection=connection,
        key=key,
        now=visit.ctx.clock.now(),
        overlaps=OVERLAPS,
    )


def _overlap(form: Form) -> int:
    text = form.text("overlap")
    if text not in {str(seconds) for seconds, _ in OVERLAPS}:
        raise Invalid("Choose one of the given answers.", path="$.overlap", code="choice_unknown")
    return int(text)


CONNECTION_KEYS = (show_keys, create_wire_key, show_wire_key, rotate_wire_key, revoke_wire_key, rotate_secret)
