"""``/api/v1/connections``: which desks are configured."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from warmline.accounts.access import Scope
from warmline.handover.connection_checks import MOST_BOTS
from warmline.handover.connection_forms import FormField
from warmline.handover.connections import Connection
from warmline.handover.desk_kinds import DeskKind
from warmline.handover.port import Capabilities
from warmline.web.api.door import Call, Repeat
from warmline.web.api.keys import Overlap
from warmline.web.api.values import (
    BotRef,
    IdCursor,
    Input,
    Limit,
    Line,
    Moment,
    Output,
    moment,
    moment_or_none,
    page_by_id,
)

_READ = {"scope": Scope.CONNECTIONS_READ}
_WRITE = {"scope": Scope.CONNECTIONS_WRITE}
_WRITE_409 = {"scope": Scope.CONNECTIONS_WRITE, "problems": (409, 422)}
_TAGS = ["Connections"]

Value = str | int | float | bool | None
Settings = Annotated[dict[str, Value], Meta(description="As the kind's form asks: `GET /api/v1/connections/kinds`.")]
BotRefs = Annotated[tuple[BotRef, ...], Meta(max_length=MOST_BOTS)]


class Choice(Output, frozen=True, kw_only=True):
    """One option of a choice field."""

    value: str
    label: str


class Field(Output, frozen=True, kw_only=True):
    """One field of a kind's form.  A generated one is made by the server and never sent to it."""

    name: str
    label: str
    help: str
    kind: str
    required: bool
    secret: bool
    generated: bool
    default: Value
    choices: tuple[Choice, ...]
    lowest: float
    highest: float


class Kind(Output, frozen=True, kw_only=True):
    """A kind of desk, what its wire can carry, and its form."""

    key: str
    title: str
    join: str
    grade: str
    capabilities: dict[str, bool]
    fields: tuple[Field, ...]


class Kinds(Output, frozen=True, kw_only=True):
    """All kinds of desks."""

    items: tuple[Kind, ...]


class HealthShown(Output, frozen=True, kw_only=True):
    """How the last contact with the desk went."""

    ok: bool
    sentence: str
    at: Moment


class ConnectionShown(Output, frozen=True, kw_only=True):
    """A connection, without any secret."""

    id: str
    kind: str
    name: str
    settings: dict[str, Any]
    bot_ids: tuple[str, ...]
    enabled: bool
    health: HealthShown | None
    created_at: Moment
    updated_at: Moment
    disabled_at: Moment | None


class ConnectionPage(Output, frozen=True, kw_only=True):
    """One page of connections."""

    items: tuple[ConnectionShown, ...]
    next_cursor: str | None


class ConnectionMade(Output, frozen=True, kw_only=True):
    """A connection with the secrets that were generated just now: they cannot be read again."""

    connection: ConnectionShown
    secrets: dict[str, str]


class ConnectionWanted(Input, frozen=True, kw_only=True):
    """A new connection; secret fields that are not generated stand among the settings."""

    kind: Line
    name: Line
    settings: Settings
    bot_ids: BotRefs = ()


class ConnectionChange(Input, frozen=True, kw_only=True):
    """What shall change; what is left out stays."""

    name: Line | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    bot_ids: BotRefs | UnsetType = UNSET


@get("/connections/kinds", operation_id="listConnectionKinds", summary="List kinds of desks", tags=_TAGS, opt=_READ)
async def list_kinds(call: Call) -> Kinds:
    """With the fields that their settings have."""
    return Kinds(items=tuple(_show_kind(kind) for _key, kind in sorted(call.at.connections.kinds.items())))


@get("/connections", operation_id="listConnections", summary="List connections", tags=_TAGS, opt=_READ)
async def list_connections(
    call: Call,
    kind: Annotated[str | None, QueryParameter(description="Only of this kind.", max_length=40)] = None,
    bot_id: Annotated[
        str | None, QueryParameter(description="Only those that serve it.", pattern="^[0-9a-f]{24}$")
    ] = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> ConnectionPage:
    """Disabled ones included."""
    found = call.at.connections.list(kind=kind, bot_id=bot_id)
    items, following = page_by_id(found, cursor, limit, _show)
    return ConnectionPage(items=items, next_cursor=following)


@get(
    "/connections/{connection_id:str}",
    operation_id="getConnection",
    summary="Read a connection",
    tags=_TAGS,
    opt=_READ,
)
async def get_connection(call: Call, connection_id: FromPath[str]) -> ConnectionShown:
    """Never its secrets."""
    return _show(call.at.connections.get(connection_id))


@post("/connections", operation_id="createConnection", summary="Make a connection", tags=_TAGS, opt=_WRITE_409)
async def create_connection(call: Call, repeat: Repeat, data: JSONBody[ConnectionWanted]) -> ConnectionMade:
    """Generated secrets are in the answer and nowhere else.  400 names the field: `$.settings.webhook_url`."""

    async def make() -> ConnectionMade:
        new = await call.at.connections.create(
            call.who, kind=data.kind, name=data.name, settings=data.settings, bot_ids=data.bot_ids
        )
        return ConnectionMade(connection=_show(new.connection), secrets=dict(new.secrets))

    return await repeat.once("createConnection", data, ConnectionMade, make)


@patch(
    "/connections/{connection_id:str}",
    operation_id="changeConnection",
    summary="Change a connection",
    tags=_TAGS,
    opt=_WRITE,
)
async def change_connection(
    call: Call, connection_id: FromPath[str], data: JSONBody[ConnectionChange]
) -> ConnectionShown:
    """Settings not named stay, and so do secrets left empty."""
    changed = await call.at.connections.update(
        call.who,
        call.at.connections.get(connection_id).id,
        name=None if data.name is UNSET else data.name,
        settings=None if data.settings is UNSET else data.settings,
        bot_ids=None if data.bot_ids is UNSET else data.bot_ids,
    )
    return _show(changed)


@post(
    "/connections/{connection_id:str}/enable",
    operation_id="enableConnection",
    summary="Take a connection into use",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def enable_connection(call: Call, connection_id: FromPath[str]) -> ConnectionShown:
    """Repeating is harmless."""
    known = call.at.connections.get(connection_id)
    return _show(await call.at.connections.enable(call.who, known.id))


@post(
    "/connections/{connection_id:str}/disable",
    operation_id="disableConnection",
    summary="Take a connection out of use",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def disable_connection(call: Call, connection_id: FromPath[str]) -> ConnectionShown:
    """Ladders skip it.  Repeating is harmless."""
    known = call.at.connections.get(connection_id)
    return _show(await call.at.connections.disable(call.who, known.id))


@post(
    "/connections/{connection_id:str}/check",
    operation_id="checkConnection",
    summary="Try a connection",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE_409,
)
async def check_connection(call: Call, connection_id: FromPath[str]) -> HealthShown:
    """Answers 200 also when the desk cannot be reached: `ok` and `sentence` say so.  409 `connection_disabled`."""
    health = await call.at.connections.check(call.who, call.at.connections.get(connection_id).id)
    return HealthShown(ok=health.ok, sentence=health.sentence, at=moment(call.at.clock.now()))


@post(
    "/connections/{connection_id:str}/secrets/{name:str}/rotate",
    operation_id="rotateConnectionSecret",
    summary="Replace a generated secret",
    tags=_TAGS,
    opt=_WRITE_409,
)
async def rotate_secret(
    call: Call, repeat: Repeat, connection_id: FromPath[str], name: FromPath[str], data: JSONBody[Overlap]
) -> ConnectionMade:
    """The new value is in the answer and nowhere else; both count during the overlap."""
    known = call.at.connections.get(connection_id)

    async def make() -> ConnectionMade:
        new = await call.at.connections.rotate_secret(call.who, known.id, name, overlap_s=data.overlap_s)
        return ConnectionMade(connection=_show(new.connection), secrets=dict(new.secrets))

    return await repeat.once(f"rotateConnectionSecret {known.id} {name}", data, ConnectionMade, make)


def _show(one: Connection) -> ConnectionShown:
    health = one.health
    return ConnectionShown(
        id=one.id,
        kind=one.kind,
        name=one.name,
        settings=one.settings,
        bot_ids=one.bot_ids,
        enabled=one.enabled,
        health=HealthShown(ok=health.ok, sentence=health.sentence, at=moment(health.at)) if health else None,
        created_at=moment(one.created_at),
        updated_at=moment(one.updated_at),
        disabled_at=moment_or_none(one.disabled_at),
    )


def _show_kind(kind: DeskKind) -> Kind:
    capabilities: Capabilities = kind.manifest.capabilities
    return Kind(
        key=kind.key,
        title=kind.manifest.title,
        join=str(kind.manifest.join),
        grade=str(kind.manifest.grade),
        capabilities=msgspec.structs.asdict(capabilities),
        fields=tuple(_show_field(field) for field in kind.form),
    )


def _show_field(field: FormField) -> Field:
    return Field(
        name=field.name,
        label=field.label,
        help=field.help,
        kind=str(field.kind),
        required=field.required,
        secret=field.secret,
        generated=field.generated,
        default=field.default,
        choices=tuple(Choice(value=one.value, label=one.label) for one in field.choices),
        lowest=field.lowest,
        highest=field.highest,
    )


HANDLERS = (
    list_kinds,
    list_connections,
    get_connection,
    create_connection,
    change_connection,
    enable_connection,
    disable_connection,
    check_connection,
    rotate_secret,
)
