"""All SQL of members, sessions and API keys: plain functions over a connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from warmline.accounts.model import ApiKey, Member, Role, Session, SignedIn
from warmline.accounts.tables import api_keys, members, sessions
from warmline.kernel.errors import NotFound

_MEMBER = (
    members.c.id,
    members.c.email,
    members.c.name,
    members.c.role,
    members.c.hue,
    members.c.created_at,
    members.c.disabled_at,
)
_KEY = tuple(column for column in api_keys.c if column.name != "token_hash")


def insert_member(conn: Connection, member: Member, password_hash: str) -> None:
    conn.execute(
        members.insert().values(
            id=member.id,
            email=member.email,
            name=member.name,
            role=str(member.role),
            password_hash=password_hash,
            hue=member.hue,
            created_at=member.created_at,
        )
    )


def count_members(conn: Connection) -> int:
    return conn.execute(select(func.count()).select_from(members)).scalar_one()


def get_member(conn: Connection, member_id: str) -> Member:
    """Raises NotFound."""
    row = conn.execute(select(*_MEMBER).where(members.c.id == member_id)).first()
    if row is None:
        raise NotFound("There is no such member.")
    return _member(row)


def find_credentials(conn: Connection, email: str) -> tuple[Member, str] | None:
    """The member with this (case-folded) address and the stored password hash."""
    row = conn.execute(select(*_MEMBER, members.c.password_hash).where(members.c.email == email)).first()
    return (_member(row), row.password_hash) if row else None


def list_members(conn: Connection) -> list[Member]:
    """Active ones first, then by name."""
    rows = conn.execute(select(*_MEMBER).order_by(members.c.disabled_at.is_not(None), func.lower(members.c.name)))
    return [_member(row) for row in rows]


def find_admins(conn: Connection) -> frozenset[str]:
    """Ids of the administrators who can sign in."""
    query = select(members.c.id).where(members.c.role == str(Role.ADMIN), members.c.disabled_at.is_(None))
    return frozenset(conn.execute(query.with_for_update()).scalars())


def update_member(conn: Connection, member_id: str, **values: Any) -> None:
    conn.execute(update(members).where(members.c.id == member_id).values(**values))


def insert_session(conn: Connection, session: Session) -> None:
    conn.execute(sessions.insert().values(**{name: getattr(session, name) for name in session.__struct_fields__}))


def find_session(conn: Connection, token_hash: str, at: int) -> SignedIn | None:
    """The live session of an enabled member."""
    row = conn.execute(
        select(sessions, *(column.label(f"member_{column.name}") for column in _MEMBER if column.name != "id"))
        .join(members, members.c.id == sessions.c.member_id)
        .where(sessions.c.token_hash == token_hash, sessions.c.expires_at > at, members.c.disabled_at.is_(None))
    ).first()
    if row is None:
        return None
    session = Session(**{name: getattr(row, name) for name in Session.__struct_fields__})
    return SignedIn(
        session=session,
        member=Member(
            id=row.member_id,
            email=row.member_email,
            name=row.member_name,
            role=Role(row.member_role),
            hue=row.member_hue,
            created_at=row.member_created_at,
        ),
    )


def touch_session(conn: Connection, session: Session) -> None:
    """Note the last use and the end it moves."""
    values = {"last_seen_at": session.last_seen_at, "expires_at": session.expires_at}
    conn.execute(update(sessions).where(sessions.c.token_hash == session.token_hash).values(values))


def delete_session(conn: Connection, token_hash: str) -> None:
    conn.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


def delete_sessions_of(conn: Connection, member_id: str, *, keep: str | None = None) -> int:
    """Sign a member out everywhere, except where the session's hash is ``keep``.  Returns how many were ended."""
    query = delete(sessions).where(sessions.c.member_id == member_id)
    if keep is not None:
        query = query.where(sessions.c.token_hash != keep)
    return conn.execute(query).rowcount


def delete_expired_sessions(conn: Connection, at: int) -> int:
    return conn.execute(delete(sessions).where(sessions.c.expires_at <= at)).rowcount


def list_sessions(conn: Connection, member_id: str, at: int) -> list[Session]:
    """The live ones, the latest used first."""
    query = select(sessions).where(sessions.c.member_id == member_id, sessions.c.expires_at > at)
    rows = conn.execute(query.order_by(sessions.c.last_seen_at.desc()))
    return [Session(**row._mapping) for row in rows]


def insert_key(conn: Connection, key: ApiKey, token_hash: str) -> None:
    conn.execute(
        api_keys.insert().values(
            id=key.id,
            prefix=key.prefix,
            token_hash=token_hash,
            label=key.label,
            kind=key.kind,
            scopes=" ".join(sorted(key.scopes)),
            connection_id=key.connection_id,
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            lifetime=key.lifetime,
        )
    )


def get_key(conn: Connection, key_id: str) -> ApiKey:
    """Raises NotFound."""
    row = conn.execute(select(*_KEY).where(api_keys.c.id == key_id)).first()
    if row is None:
        raise NotFound("There is no such key.")
    return _key(row)


def list_keys(conn: Connection, *, kind: str | None, connection_id: str | None) -> list[ApiKey]:
    """Newest first."""
    query = select(*_KEY).order_by(api_keys.c.id.desc())
    if kind is not None:
        query = query.where(api_keys.c.kind == kind)
    if connection_id is not None:
        query = query.where(api_keys.c.connection_id == connection_id)
    return [_key(row) for row in conn.execute(query)]


def load_live_keys(conn: Connection, at: int) -> list[tuple[str, ApiKey]]:
    """Token hash and record of every key that opens something at that moment."""
    rows = conn.execute(
        select(*_KEY, api_keys.c.token_hash).where(
            api_keys.c.revoked_at.is_(None), api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > at)
        )
    )
    return [(row.token_hash, _key(row)) for row in rows]


def update_key(conn: Connection, key_id: str, **values: Any) -> None:
    conn.execute(update(api_keys).where(api_keys.c.id == key_id).values(**values))


def mark_used(conn: Connection, used: Iterable[tuple[str, int]]) -> None:
    """Note when keys were last used; an earlier moment never replaces a later one."""
    for key_id, at in used:
        later = api_keys.c.last_used_at.is_(None) | (api_keys.c.last_used_at < at)
        conn.execute(update(api_keys).where(api_keys.c.id == key_id, later).values(last_used_at=at))


def _member(row: Any) -> Member:
    return Member(
        id=row.id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
        hue=row.hue,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        prefix=row.prefix,
        label=row.label,
        kind=row.kind,
        scopes=frozenset(row.scopes.split()),
        connection_id=row.connection_id,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        lifetime=row.lifetime,
    )
