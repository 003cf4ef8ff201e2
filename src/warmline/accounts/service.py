"""Members and their sessions: the first member, more members, sign-in, sign-out, passwords."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.exc import IntegrityError

from warmline.accounts import access, audit, store
from warmline.accounts.access import Principal
from warmline.accounts.model import (
    NAME_LENGTH,
    PASSWORD_MAX,
    Member,
    Role,
    Session,
    SignedIn,
    check_keeps_an_admin,
    check_password,
    fold_email,
    parse_email,
    parse_line,
)
from warmline.accounts.passwords import Passwords
from warmline.accounts.throttle import SignInThrottle
from warmline.kernel.clock import DAY, HOUR, MINUTE, SECOND, Clock
from warmline.kernel.errors import Conflict, Invalid, Unauthorized
from warmline.kernel.ids import uuid7

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from warmline.journal import Journal

SESSION_CACHE_MS = 2_000
_CACHED_SESSIONS = 5_000
_TOUCH_EVERY = MINUTE
_LONGEST_SESSION = 30 * DAY
"""However much it is used, nobody stays signed in longer than this (or than the idle time, where that is longer)."""
_SHOWN = 200
"""How much of a user agent is kept."""


class Accounts:
    """Who works here, and which browsers they are signed in with.

    A session ends ``session_hours`` after its last use.  Sessions found in the store are remembered for
    ``SESSION_CACHE_MS``, so a sign-out reaches every node within that.
    """

    def __init__(
        self, journal: Journal, clock: Clock, *, passwords: Passwords | None = None, session_hours: float = 12
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._passwords = passwords or Passwords()
        self._idle = int(session_hours * HOUR)
        self._longest = max(self._idle, _LONGEST_SESSION)
        self._throttle = SignInThrottle(clock)
        self._sessions: OrderedDict[str, tuple[int, SignedIn]] = OrderedDict()
        self._has_member = False

    @property
    def longest_session_s(self) -> int:
        """How long a browser has to keep the session's token, in seconds; whether it is still good is told here."""
        return self._longest // SECOND

    def close(self) -> None:
        """Give the hashing threads back."""
        self._passwords.close()

    async def has_members(self) -> bool:
        """Whether the installation has been set up (a member exists)."""
        if not self._has_member:
            self._has_member = await self._journal.read(store.count_members) > 0
        return self._has_member

    async def sign_up_first_member(self, email: str, name: str, password: str) -> Member:
        """Make the first administrator.  Raises Invalid for bad input, Conflict ``already_set_up`` otherwise."""
        if await self.has_members():
            raise Conflict("This installation already has members.", code="already_set_up")
        member = self._new_member(email, name, Role.ADMIN)
        check_password(password, email=member.email)
        hashed = await self._passwords.hash(password)

        def insert(conn: Connection) -> None:
            if store.count_members(conn):
                raise Conflict("This installation already has members.", code="already_set_up")
            store.insert_member(conn, member, hashed)
            self._record(conn, member.actor, "member.created", member.id, role=str(member.role))

        await self._journal.write(insert)
        return member

    async def create_member(self, who: Principal, email: str, name: str, role: Role, password: str) -> Member:
        """Add a member.  Raises Forbidden, Invalid with a path, or Conflict ``email_taken``."""
        access.members.check_write(who)
        member = self._new_member(email, name, role)
        check_password(password, email=member.email)
        hashed = await self._passwords.hash(password)

        def insert(conn: Connection) -> None:
            if store.find_credentials(conn, member.email):
                raise _email_taken()
            try:
                with conn.begin_nested():
                    store.insert_member(conn, member, hashed)
            except IntegrityError:  # another node was faster
                raise _email_taken() from None
            self._record(conn, who.actor, "member.created", member.id, role=str(role))

        await self._journal.write(insert)
        return member

    async def list_members(self, who: Principal) -> list[Member]:
        """Everybody, active ones first.  Raises Forbidden."""
        access.members.check_read(who)
        return await self._journal.read(store.list_members)

    async def get_member(self, member_id: str) -> Member:
        """Raises NotFound."""
        return await self._journal.read(lambda conn: store.get_member(conn, member_id))

    async def change_role(self, who: Principal, member_id: str, role: Role) -> None:
        """Give a member another role.  Raises Forbidden, NotFound, or Conflict ``last_admin``."""
        access.members.check_write(who)

        def change(conn: Connection) -> None:
            member = store.get_member(conn, member_id)
            if member.role == Role.ADMIN and role != Role.ADMIN:
                check_keeps_an_admin(store.find_admins(conn), member_id)
            store.update_member(conn, member_id, role=str(role))
            self._record(conn, who.actor, "member.role_changed", member_id, role=str(role))

        await self._journal.write(change)
        self._forget(member_id)

    async def set_enabled(self, who: Principal, member_id: str, *, enabled: bool) -> None:
        """Let a member sign in or not; disabling ends every session.  Raises Forbidden, NotFound, Conflict."""
        access.members.check_write(who)
        now = self._clock.now()

        def change(conn: Connection) -> None:
            member = store.get_member(conn, member_id)
            if not enabled:
                if member.role == Role.ADMIN:
                    check_keeps_an_admin(store.find_admins(conn), member_id)
                store.delete_sessions_of(conn, member_id)
            store.update_member(conn, member_id, disabled_at=None if enabled else now)
            self._record(conn, who.actor, "member.enabled" if enabled else "member.disabled", member_id)

        await self._journal.write(change)
        self._forget(member_id)

    async def sign_in(self, email: str, password: str, *, address: str, user_agent: str) -> tuple[SignedIn, str]:
        """A new session and its token, which goes into the cookie and nowhere else.

        Raises Unauthorized ``sign_in_refused`` without saying what was wrong, RateLimited after too many attempts.
        """
        folded = fold_email(email)[:PASSWORD_MAX]
        self._throttle.attempt(folded, address)
        found = await self._journal.read(lambda conn: store.find_credentials(conn, folded))
        stored = found[1] if found and found[0].disabled_at is None else None
        fits = await self._passwords.verify(stored, password[: PASSWORD_MAX + 1])
        if found is None or stored is None or not fits:
            await self._note_failure(found[0] if found else None)
            raise _sign_in_refused()
        self._throttle.forgive(folded, address)
        member = found[0]
        rehashed = await self._passwords.hash(password) if self._passwords.needs_rehash(stored) else None
        return await self._open_session(member, address, user_agent, verified=stored, rehashed=rehashed)

    async def find_session(self, token: str, *, in_use: bool = True) -> SignedIn | None:
        """The live session behind a cookie's token, or None.

        Asking counts as use, which puts off the session's end, unless ``in_use`` is False: a page that only stands
        open in a browser is not used.
        """
        token_hash = _hash_token(token)
        now = self._clock.now()
        cached = self._sessions.get(token_hash)
        if cached and 0 <= now - cached[0] < SESSION_CACHE_MS and now < cached[1].session.expires_at:
            return cached[1]
        found = await self._journal.read(lambda conn: store.find_session(conn, token_hash, now))
        if found is None:
            self._sessions.pop(token_hash, None)
            return None
        if in_use and now - found.session.last_seen_at >= _TOUCH_EVERY:
            found = await self._touch(found, now)
        self._sessions[token_hash] = (now, found)
        self._sessions.move_to_end(token_hash)
        while len(self._sessions) > _CACHED_SESSIONS:
            self._sessions.popitem(last=False)
        return found

    async def list_sessions(self, member_id: str) -> list[Session]:
        """The member's signed-in browsers, the latest used first."""
        now = self._clock.now()
        return await self._journal.read(lambda conn: store.list_sessions(conn, member_id, now))

    async def sign_out(self, signed_in: SignedIn) -> None:
        """End this one session."""
        token_hash, member = signed_in.session.token_hash, signed_in.member

        def end(conn: Connection) -> None:
            store.delete_session(conn, token_hash)
            self._record(conn, member.actor, "session.ended", member.id)

        await self._journal.write(end)
        self._sessions.pop(token_hash, None)

    async def sign_out_everywhere(self, signed_in: SignedIn, *, keep_this: bool = True) -> int:
        """End the member's other sessions (or all of them).  Returns how many were ended."""
        member = signed_in.member
        keep = signed_in.session.token_hash if keep_this else None

        def end(conn: Connection) -> int:
            ended = store.delete_sessions_of(conn, member.id, keep=keep)
            self._record(conn, member.actor, "session.ended_everywhere", member.id)
            return ended

        ended = await self._journal.write(end)
        self._forget(member.id)
        return ended

    async def change_password(self, signed_in: SignedIn, current: str, new: str) -> None:
        """Replace the own password and end every other session.

        Raises Invalid at ``$.current`` or ``$.password``, RateLimited after too many wrong tries.
        """
        member = signed_in.member
        self._throttle.attempt(member.email, signed_in.session.address)
        found = await self._journal.read(lambda conn: store.find_credentials(conn, member.email))
        if not await self._passwords.verify(found[1] if found else None, current[: PASSWORD_MAX + 1]):
            raise Invalid("This is not your current password.", path="$.current", code="password_wrong")
        self._throttle.forgive(member.email, signed_in.session.address)
        check_password(new, email=member.email)
        hashed = await self._passwords.hash(new)

        def change(conn: Connection) -> None:
            store.update_member(conn, member.id, password_hash=hashed)
            store.delete_sessions_of(conn, member.id, keep=signed_in.session.token_hash)
            self._record(conn, member.actor, "member.password_changed", member.id)

        await self._journal.write(change)
        self._forget(member.id)

    async def change_name(self, signed_in: SignedIn, name: str) -> None:
        """Change how the member is called.  Raises Invalid at ``$.name``."""
        member = signed_in.member
        line = parse_line(name, path="$.name", longest=NAME_LENGTH)

        def change(conn: Connection) -> None:
            store.update_member(conn, member.id, name=line)
            self._record(conn, member.actor, "member.renamed", member.id)

        await self._journal.write(change)
        self._forget(member.id)

    async def forget_expired_sessions(self) -> int:
        """Delete what nobody can use any more; call it now and then."""
        now = self._clock.now()
        return await self._journal.write(lambda conn: store.delete_expired_sessions(conn, now))

    async def _touch(self, found: SignedIn, now: int) -> SignedIn:
        ends = min(now + self._idle, found.session.created_at + self._longest)
        session = msgspec.structs.replace(found.session, last_seen_at=now, expires_at=ends)
        await self._journal.write(lambda conn: store.touch_session(conn, session))
        return SignedIn(session=session, member=found.member)

    async def _open_session(
        self, member: Member, address: str, user_agent: str, *, verified: str, rehashed: str | None
    ) -> tuple[SignedIn, str]:
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        session = Session(
            token_hash=_hash_token(token),
            member_id=member.id,
            csrf=secrets.token_urlsafe(24),
            created_at=now,
            last_seen_at=now,
            expires_at=now + self._idle,
            user_agent=user_agent[:_SHOWN],
            address=address[:_SHOWN],
        )

        def insert(conn: Connection) -> None:
            # While the password was being checked it may have been replaced, or its owner disabled.
            now_stored = store.find_credentials(conn, member.email)
            if now_stored is None or now_stored[0].disabled_at is not None or now_stored[1] != verified:
                raise _sign_in_refused()
            store.insert_session(conn, session)
            if rehashed is not None:
                store.update_member(conn, member.id, password_hash=rehashed)
            self._record(conn, member.actor, "session.started", member.id)

        await self._journal.write(insert)
        return SignedIn(session=session, member=member), token

    async def _note_failure(self, member: Member | None) -> None:
        # Attempts on unknown addresses leave no row: they would let strangers fill the log.
        if member is None:
            return
        await self._journal.write(lambda conn: self._record(conn, "anonymous", "session.refused", member.id))

    def _new_member(self, email: str, name: str, role: Role) -> Member:
        return Member(
            id=uuid7(),
            email=parse_email(email),
            name=parse_line(name, path="$.name", longest=NAME_LENGTH),
            role=role,
            hue=secrets.randbelow(360),
            created_at=self._clock.now(),
        )

    def _forget(self, member_id: str) -> None:
        for token_hash in [key for key, (_, found) in self._sessions.items() if found.member.id == member_id]:
            del self._sessions[token_hash]

    def _record(self, conn: Connection, actor: str, action: str, member_id: str, **detail: str) -> None:
        audit.record(
            conn,
            node=self._journal.node_id,
            at=self._clock.now(),
            actor=actor,
            action=action,
            object_kind="member",
            object_id=member_id,
            detail=detail,
        )


def _sign_in_refused() -> Unauthorized:
    return Unauthorized("The e-mail address or the password is not right.", code="sign_in_refused")


def _email_taken() -> Conflict:
    return Conflict("A member with this address exists already.", code="email_taken", path="$.email")


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
