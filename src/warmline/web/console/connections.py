"""Connections: list, add, look at, change, try, switch off."""

from __future__ import annotations

import contextlib
from functools import partial

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.handover.connections import Connection
from warmline.handover.desk_kinds import DeskKind
from warmline.handover.port import ListsQueues
from warmline.kernel.errors import Conflict, Invalid, WarmlineError
from warmline.kernel.ids import BotId
from warmline.platform.crypto import KeyMissing
from warmline.web.api.wire import AGENT_PATH, CHAT_PATH
from warmline.web.console import connections_form, flashes
from warmline.web.console.administration import administration
from warmline.web.console.forms import Form
from warmline.web.console.once import already_page, once
from warmline.web.console.visit import Visit

PATH = "/console/connections"
SEE = {"scope": Scope.CONNECTIONS_READ}
CHANGE = {"scope": Scope.CONNECTIONS_WRITE}
_ABILITIES = {
    "context": "Transcript and page go along",
    "availability": "Tells whether people are there",
    "queue_position": "Place in the queue",
    "waiting_time": "Waiting time",
    "agent_typing": "Visitor sees the agent type",
    "visitor_typing": "Agent sees the visitor type",
    "attachments": "Files to the agent (else links)",
    "transfer": "Transfers",
    "notes": "Notes for the agent only",
}
STATES = (("", "Any state"), ("well", "Well"), ("failing", "Failing"), ("untried", "Not tried yet"), ("off", "Off"))

flashes.register("connection-saved", "The connection is saved.")
flashes.register("connection-off", "The connection is off. Handovers pass it by.", "wait")
flashes.register("connection-on", "The connection is on again.")


@get("/connections", opt=SEE)
async def list_connections(visit: Visit) -> Response[str]:
    at = administration(visit)
    asked = visit.request.query_params
    search, kind, state = asked.get("q", "").strip(), asked.get("kind", ""), asked.get("state", "")
    every = at.connections.list()
    found = [
        one
        for one in every
        if search.casefold() in one.name.casefold() and kind in ("", one.kind) and state in ("", state_of(one))
    ]
    return visit.page(
        "pages/connections.html",
        connections=found,
        any_at_all=bool(every),
        search=search,
        kind=kind,
        state=state,
        kinds=at.connections.kinds,
        states=STATES,
        may_change=access.connections.may_write(visit.principal),
    )


@get("/connections/new", opt=CHANGE)
async def show_new_connection(visit: Visit) -> Response[str]:
    return await _new_page(visit, Form())


@post("/connections", opt=CHANGE)
async def create_connection(visit: Visit) -> Response[str]:
    at, form = administration(visit), await visit.form()
    kind = at.connections.kinds.get(form.text("kind"))
    if kind is None:
        return await _new_page(visit, form, 400)
    form = connections_form.checked(kind, form)
    if form.errors:
        return await _new_page(visit, form, 400)
    try:
        make = partial(
            at.connections.create,
            visit.principal,
            kind=kind.key,
            name=form.text("name"),
            settings=connections_form.read(kind, form),
            bot_ids=form.texts("bot_ids"),
        )
        outcome = await once(visit, "connection", make, lambda new: new.connection.id)
    except Invalid as error:
        return await _new_page(visit, form.with_error(error), error.status)
    new = outcome.made
    if new is None:
        return _already(visit, kind, outcome.id)
    if not new.secrets:
        return visit.redirect(f"{PATH}/{new.connection.id}", "connection-saved")
    # Shown in the answer to the POST itself: a redirect would have to carry or keep the secret.
    return visit.page(
        "pages/connection_secrets.html",
        status=201,
        connection=new.connection,
        secrets=connections_form.labels(kind, new.secrets),
        is_new=True,
        until=None,
    )


def _already(visit: Visit, kind: DeskKind, connection_id: str) -> Response[str]:
    path = f"{PATH}/{connection_id}" if connection_id else PATH
    if not connection_id or not connections_form.generated(kind):
        return visit.redirect(path, "connection-saved")
    return already_page(
        visit,
        "This connection is made already",
        "Its secret is shown once only, right after it is made. If nobody has copied it, rotate it to get another.",
        [("Rotate the secret", f"{path}/keys"), ("The connection", path), ("Add another connection", f"{PATH}/new")],
    )


@get("/connections/{connection_id:str}", opt=SEE)
async def show_connection(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    at = administration(visit)
    connection = at.connections.get(connection_id)
    names = {bot.id: bot.name for bot in await at.all_bots()}
    ladders = [
        (widget, place)
        for widget in await at.all_widgets()
        for place, step in enumerate(widget.ladder, 1)
        if step.connection_id == connection_id
    ]
    base = visit.ctx.public_url.rstrip("/")
    return await connection_page(
        visit,
        connection,
        "overview",
        bots=[(bot_id, names.get(BotId(bot_id), "")) for bot_id in connection.bot_ids],
        ladders=ladders,
        agent_url=base + AGENT_PATH,
        chat_url=base + CHAT_PATH,
    )


@get("/connections/{connection_id:str}/settings", opt=CHANGE)
async def show_settings(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    return await _settings_page(visit, administration(visit).connections.get(connection_id), Form())


@post("/connections/{connection_id:str}/settings", opt=CHANGE)
async def change_settings(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    at, form = administration(visit), await visit.form()
    connection = at.connections.get(connection_id)
    form = connections_form.checked(kind_of(visit, connection), form, connection)
    if form.errors:
        return await _settings_page(visit, connection, form, 400)
    try:
        await at.connections.update(
            visit.principal,
            connection_id,
            name=form.text("name"),
            settings=connections_form.read(kind_of(visit, connection), form),
            bot_ids=form.texts("bot_ids"),
        )
    except Invalid as error:
        return await _settings_page(visit, connection, form.with_error(error), error.status)
    return visit.redirect(f"{PATH}/{connection_id}", "connection-saved")


@post("/connections/{connection_id:str}/check", opt=CHANGE)
async def check_connection(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    at = administration(visit)
    at.connections.get(connection_id)
    failure = ""
    try:
        await at.connections.check(visit.principal, connection_id)
    except WarmlineError as error:
        failure = error.detail
    if not visit.is_fragment:
        return visit.redirect(f"{PATH}/{connection_id}")
    connection = at.connections.get(connection_id)
    return visit.fragment(
        "pages/connection_health.html", connection=connection, failure=failure, just_now=True, may_change=True
    )


@post("/connections/{connection_id:str}/enabled", opt=CHANGE)
async def change_connection_enabled(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    at, form = administration(visit), await visit.form()
    enabled = form.text("enabled") == "yes"
    await (at.connections.enable if enabled else at.connections.disable)(visit.principal, connection_id)
    return visit.redirect(f"{PATH}/{connection_id}", "connection-on" if enabled else "connection-off")


@post("/connections/{connection_id:str}/seen", opt=CHANGE)
async def see_failure(visit: Visit, connection_id: FromPath[str]) -> Response[str]:
    await administration(visit).connections.see_failure(visit.principal, connection_id)
    return visit.redirect(f"{PATH}/{connection_id}")


def state_of(connection: Connection) -> str:
    """``well``, ``failing``, ``untried`` or ``off``."""
    if not connection.enabled:
        return "off"
    if connection.health is None:
        return "untried"
    return "well" if connection.health.ok else "failing"


def kind_of(visit: Visit, connection: Connection) -> DeskKind:
    """The connection's kind of desk.  Raises KeyError for one that this version does not know."""
    return administration(visit).connections.kinds[connection.kind]


def _lists_queues(visit: Visit, connection_id: str) -> bool:
    with contextlib.suppress(Conflict, KeyMissing):
        return isinstance(administration(visit).connections.desk(connection_id), ListsQueues)
    return False


def abilities_of(kind: DeskKind) -> list[tuple[str, str]]:
    """What the desk can carry, in words."""
    can = kind.manifest.capabilities
    joining = "the vendor says so" if kind.manifest.join == "explicit" else "the first reply tells it"
    told = [(_ABILITIES[name], "yes" if getattr(can, name) else "no") for name in _ABILITIES]
    limit = kind.manifest.text_limit
    pieces = f"in pieces of {limit:,} characters" if limit else "whole"
    return [("An agent joins", joining), *told, ("Long messages", pieces)]


async def connection_page(
    visit: Visit, connection: Connection, tab: str, *, status: int = 200, form: Form | None = None, **values: object
) -> Response[str]:
    """One of the pages of a connection, with the tabs above it."""
    kind = kind_of(visit, connection)
    may_change = access.connections.may_write(visit.principal)
    parked = await administration(visit).parked.list(connection_id=connection.id, limit=100)
    wired = connection.kind in connections_form.WIRED
    base = f"{PATH}/{connection.id}"
    waiting = f" ({len(parked) if len(parked) < 100 else '99+'})" if parked else ""
    tabs = [
        ("overview", "Overview", base, True),
        ("settings", "Settings", f"{base}/settings", may_change),
        ("keys", "Keys and secrets", f"{base}/keys", wired or bool(connections_form.generated(kind))),
        ("queues", "Queues", f"{base}/queues", may_change and _lists_queues(visit, connection.id)),
        ("parked", f"Not delivered{waiting}", f"{base}/parked", access.conversations.may_read(visit.principal)),
        ("help", "Help", f"{base}/help", True),
    ]
    return visit.page(
        f"pages/connection_{tab}.html",
        status=status,
        form=form,
        connection=connection,
        kind=kind,
        wired=wired,
        webhook_url=f"{visit.ctx.public_url.rstrip('/')}/in/{connection.id}",
        may_change=may_change,
        abilities=abilities_of(kind),
        tabs=[(text, href, key == tab) for key, text, href, shown in tabs if shown],
        **values,
    )


async def _new_page(visit: Visit, form: Form, status: int = 200) -> Response[str]:
    at = administration(visit)
    chosen = form.text("kind") or visit.request.query_params.get("kind", "")
    kind = at.connections.kinds.get(chosen)
    bots = await at.all_bots()
    # Most installations have one bot: then there is nothing to choose.
    ticked = form.texts("bot_ids") if form.text("submitted") else [bot.id for bot in bots[:1] if len(bots) == 1]
    return visit.page(
        "pages/connection_new.html",
        status=status,
        form=form,
        kinds=at.connections.kinds,
        kind=kind,
        simulator_port=at.simulators.get(kind.key) if kind else None,
        fields=connections_form.draw(kind, form) if kind else [],
        name=form.text("name", kind.manifest.title if kind else ""),
        bots=[(bot.id, bot.name, bot.id) for bot in bots],
        ticked=ticked,
        bots_error=_bots_error(form),
    )


async def _settings_page(visit: Visit, connection: Connection, form: Form, status: int = 200) -> Response[str]:
    bots = await administration(visit).all_bots()
    return await connection_page(
        visit,
        connection,
        "settings",
        status=status,
        form=form,
        fields=connections_form.draw(kind_of(visit, connection), form, connection),
        name=form.text("name", connection.name),
        bots=[(bot.id, bot.name, bot.id) for bot in bots],
        ticked=form.texts("bot_ids") if form.text("submitted") else list(connection.bot_ids),
        bots_error=_bots_error(form),
    )


def _bots_error(form: Form) -> str:
    return next((text for name, text in form.errors.items() if name.startswith("bot_ids")), "")


CONNECTIONS = (
    list_connections,
    show_new_connection,
    create_connection,
    show_connection,
    show_settings,
    change_settings,
    check_connection,
    change_connection_enabled,
    see_failure,
)
