"""``/api/v1/connections/{id}/keys``: the keys with which a CRM reports to its connection."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from warmline.accounts.access import Scope
from warmline.accounts.model import ApiKey
from warmline.kernel.errors import NotFound
from warmline.web.api.door import Call, Repeat
from warmline.web.api.keys import KeyMade, KeyPage, Label, Overlap, show_key, show_new
from warmline.web.api.values import IdCursor, Input, Limit, check_id, page_by_id

_READ = {"scope": Scope.CONNECTIONS_READ}
_WRITE = {"scope": Scope.CONNECTIONS_WRITE}
_WRITE_409 = {"scope": Scope.CONNECTIONS_WRITE, "problems": (409, 422)}
_KEYS = ["Keys of a connection"]


class WireKeyWanted(Input, frozen=True, kw_only=True):
    """What the new key shall be called."""

    label: Label


@get(
    "/connections/{connection_id:str}/keys",
    operation_id="listConnectionKeys",
    summary="List the keys of a connection",
    tags=_KEYS,
    opt=_READ,
)
async def list_wire_keys(
    call: Call, connection_id: FromPath[str], cursor: IdCursor = None, limit: Limit = 50
) -> KeyPage:
    """Also dead ones, the newest first."""
    known = call.at.connections.get(connection_id)
    found = await call.at.api_keys.list_keys(call.who, kind="wire", connection_id=known.id)
    items, following = page_by_id(found, cursor, limit, lambda key: show_key(call, key), newest_first=True)
    return KeyPage(items=items, next_cursor=following)


@post(
    "/connections/{connection_id:str}/keys",
    operation_id="createConnectionKey",
    summary="Make a key for a connection",
    tags=_KEYS,
    opt=_WRITE_409,
)
async def create_wire_key(
    call: Call, repeat: Repeat, connection_id: FromPath[str], data: JSONBody[WireKeyWanted]
) -> KeyMade:
    """It opens only the wire paths, only for this connection.  The token is in the answer and nowhere else."""
    known = call.at.connections.get(connection_id)

    async def make() -> KeyMade:
        new = await call.at.api_keys.create(call.who, kind="wire", label=data.label, connection_id=known.id)
        return show_new(call, new)

    return await repeat.once(f"createConnectionKey {known.id}", data, KeyMade, make)


@post(
    "/connections/{connection_id:str}/keys/{key_id:str}/rotate",
    operation_id="rotateConnectionKey",
    summary="Replace a key of a connection",
    tags=_KEYS,
    opt=_WRITE_409,
)
async def rotate_wire_key(
    call: Call, repeat: Repeat, connection_id: FromPath[str], key_id: FromPath[str], data: JSONBody[Overlap]
) -> KeyMade:
    """A successor with the same powers; the old key dies after the overlap."""
    key = await _find_key(call, connection_id, key_id)

    async def make() -> KeyMade:
        return show_new(call, await call.at.api_keys.rotate(call.who, key.id, data.overlap_s))

    return await repeat.once(f"rotateConnectionKey {key.id}", data, KeyMade, make)


@delete(
    "/connections/{connection_id:str}/keys/{key_id:str}",
    operation_id="revokeConnectionKey",
    summary="Revoke a key of a connection",
    tags=_KEYS,
    opt=_WRITE,
)
async def revoke_wire_key(call: Call, connection_id: FromPath[str], key_id: FromPath[str]) -> None:
    """Dead here at once, on every node within five seconds.  Repeating is harmless."""
    key = await _find_key(call, connection_id, key_id)
    await call.at.api_keys.revoke(call.who, key.id)


async def _find_key(call: Call, connection_id: str, key_id: str) -> ApiKey:
    known = call.at.connections.get(connection_id)
    key = await call.at.api_keys.get(call.who, check_id(key_id, "key"))
    if key.connection_id != known.id:
        raise NotFound("There is no such key.")
    return key


HANDLERS = (list_wire_keys, create_wire_key, rotate_wire_key, revoke_wire_key)
