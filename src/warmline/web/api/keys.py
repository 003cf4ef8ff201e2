"""``/api/v1/keys``: the keys of this API."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from warmline.accounts.access import KEY_SCOPES, Scope
from warmline.accounts.api_keys import MAX_OVERLAP_S
from warmline.accounts.model import LABEL_LENGTH, ApiKey, NewKey
from warmline.kernel.clock import from_rfc3339
from warmline.kernel.errors import Invalid, NotFound
from warmline.web.api.door import Call, Repeat
from warmline.web.api.values import (
    IdCursor,
    Input,
    Limit,
    Moment,
    Output,
    check_id,
    moment,
    moment_or_none,
    page_by_id,
)

_TAGS = ["Keys"]
_READ = {"scope": Scope.KEYS_READ}
_REVOKE = {"scope": Scope.KEYS_WRITE}
_WRITE = {"scope": Scope.KEYS_WRITE, "problems": (409, 422)}

Label = Annotated[str, Meta(min_length=1, max_length=LABEL_LENGTH, description="One printable line.")]
ScopeName = Annotated[str, Meta(extra_json_schema={"enum": [str(scope) for scope in KEY_SCOPES]})]


class KeyShown(Output, frozen=True, kw_only=True):
    """A key as it may be shown; its token is known only when it is made."""

    id: str
    prefix: str
    label: str
    scopes: tuple[str, ...]
    state: str
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
    connection_id: str | None


class KeyPage(Output, frozen=True, kw_only=True):
    """One page of keys."""

    items: tuple[KeyShown, ...]
    next_cursor: str | None


class KeyMade(Output, frozen=True, kw_only=True):
    """A new key.  The token cannot be read again."""

    key: KeyShown
    token: str


class KeyWanted(Input, frozen=True, kw_only=True):
    """What a new key shall be called and what it shall open: no more than the key that makes it."""

    label: Label
    scopes: Annotated[tuple[ScopeName, ...], Meta(min_length=1)]
    expires_at: Moment | None = None


class Overlap(Input, frozen=True, kw_only=True):
    """How many seconds the old one goes on working beside the new one."""

    overlap_s: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_S)] = 0


@get("/keys", operation_id="listKeys", summary="List API keys", tags=_TAGS, opt=_READ)
async def list_keys(call: Call, cursor: IdCursor = None, limit: Limit = 50) -> KeyPage:
    """Also dead ones, the newest first."""
    found = await call.at.api_keys.list_keys(call.who, kind="v1")
    items, following = page_by_id(found, cursor, limit, lambda key: show_key(call, key), newest_first=True)
    return KeyPage(items=items, next_cursor=following)


@get("/keys/{key_id:str}", operation_id="getKey", summary="Read an API key", tags=_TAGS, opt=_READ)
async def get_key(call: Call, key_id: FromPath[str]) -> KeyShown:
    """Never its token."""
    return show_key(call, await _find(call, key_id))


@post("/keys", operation_id="createKey", summary="Make an API key", tags=_TAGS, opt=_WRITE)
async def create_key(call: Call, repeat: Repeat, data: JSONBody[KeyWanted]) -> KeyMade:
    """The token is in the answer and nowhere else."""

    async def make() -> KeyMade:
        expires = _moment(data.expires_at) if data.expires_at is not None else None
        new = await call.at.api_keys.create(
            call.who, kind="v1", label=data.label, scopes=data.scopes, expires_at=expires
        )
        return show_new(call, new)

    return await repeat.once("createKey", data, KeyMade, make)


@post("/keys/{key_id:str}/rotate", operation_id="rotateKey", summary="Replace an API key", tags=_TAGS, opt=_WRITE)
async def rotate_key(call: Call, repeat: Repeat, key_id: FromPath[str], data: JSONBody[Overlap]) -> KeyMade:
    """A successor with the same powers; the old key dies after the overlap."""
    await _find(call, key_id)

    async def make() -> KeyMade:
        return show_new(call, await call.at.api_keys.rotate(call.who, key_id, data.overlap_s))

    return await repeat.once(f"rotateKey {key_id}", data, KeyMade, make)


@delete("/keys/{key_id:str}", operation_id="revokeKey", summary="Revoke an API key", tags=_TAGS, opt=_REVOKE)
async def revoke_key(call: Call, key_id: FromPath[str]) -> None:
    """Dead here at once, on every node within five seconds.  Repeating is harmless."""
    await _find(call, key_id)
    await call.at.api_keys.revoke(call.who, key_id)


async def _find(call: Call, key_id: str) -> ApiKey:
    key = await call.at.api_keys.get(call.who, check_id(key_id, "key"))
    if key.kind != "v1":
        raise NotFound("There is no such key.")
    return key


def _moment(text: str) -> int:
    try:
        return from_rfc3339(text)
    except (ValueError, OverflowError):
        raise Invalid("This is not a date-time with an offset.", path="$.expires_at", code="date_time") from None


def show_key(call: Call, key: ApiKey) -> KeyShown:
    """The key as it may be shown."""
    return KeyShown(
        id=key.id,
        prefix=key.prefix,
        label=key.label,
        scopes=tuple(sorted(key.scopes)),
        state=key.state(call.at.clock.now()),
        created_at=moment(key.created_at),
        expires_at=moment_or_none(key.expires_at),
        revoked_at=moment_or_none(key.revoked_at),
        last_used_at=moment_or_none(key.last_used_at),
        connection_id=key.connection_id,
    )


def show_new(call: Call, new: NewKey) -> KeyMade:
    """The key at its making."""
    return KeyMade(key=show_key(call, new.record), token=new.token)


HANDLERS = (list_keys, get_key, create_key, rotate_key, revoke_key)
