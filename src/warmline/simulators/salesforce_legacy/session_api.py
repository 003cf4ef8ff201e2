"""The HTTP side of sessions: headers, numbers of POSTs, the long poll, and the way back after another server took over.

Documented: which headers which call has, the statuses 403, 409 and 503 with their meaning, one poll at a time, the order of
``ReconnectSession``, ``ChasitorSessionData`` and ``ChasitorResyncState``.  Reported: ``ResyncSession``, and that a 409 to a
POST ends in the last number the server holds.  Assumed: 400 for a header that is missing.
"""

from __future__ import annotations

import base64
import contextlib
import math
import secrets
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.changes import Changes
from warmline.simulators.salesforce_legacy import bodies
from warmline.simulators.salesforce_legacy.inbox import Inbox
from warmline.simulators.salesforce_legacy.office import Office, belongs
from warmline.simulators.salesforce_legacy.state import Session
from warmline.simulators.script import Switches, Waits

REST = "/chat/rest"
VERSION, AFFINITY, KEY, NUMBER = (
    f"X-LIVEAGENT-{name}" for name in ("API-VERSION", "AFFINITY", "SESSION-KEY", "SEQUENCE")
)
MOVED = "Invalid Affinity Token"
WAIT_TIME_VERSION, RECONNECT_VERSION = 47, 37
_POLL_GRACE_S = 10
_WITHOUT_AFFINITY = frozenset({"session.reconnect", "session.resync", "session.delete"})
SESSION_OPERATIONS = frozenset({"session.delete", "session.reconnect", "session.poll", "session.resync_state", "batch"})
HUNG_UP: ContextVar[Callable[[], bool]] = ContextVar("hung_up", default=lambda: False)
"""Whether the caller of the call at hand has gone."""


class SessionApi:
    """Operations of ``System``, and what all calls of a session share."""

    def __init__(self, office: Office, clock: Clock, changes: Changes, waits: Waits, switches: Switches) -> None:
        self._office = office
        self._org = office.org
        self._assumptions = office.assumptions
        self._clock = clock
        self._changes = changes
        self._waits = waits
        self._switches = switches
        self._polled_from: dict[str, Callable[[], bool]] = {}

    def routes(self) -> list[Route]:
        """All operations."""
        return [
            Route("GET", f"{REST}/System/SessionId", "session.create", self.create),
            Route("GET", f"{REST}/System/SessionId/", "session.create", self.create),
            Route("DELETE", f"{REST}/System/SessionId/{{key}}", "session.delete", self.delete),
            Route("GET", f"{REST}/System/Messages", "session.poll", self.poll),
            Route("GET", f"{REST}/System/ReconnectSession", "session.reconnect", self.reconnect),
            Route("GET", f"{REST}/System/ResyncSession", "session.resync", self.resync),
            Route("POST", f"{REST}/Chasitor/ChasitorResyncState", "session.resync_state", self.resync_state),
        ]

    # -------------------------------------------------------------------------------------------- headers
    def version(self, ask: Ask) -> int:
        """Of the API, as the caller wants it.  Raises VendorRefusal 400."""
        given = ask.headers.get(VERSION, "").partition(".")[0]
        if not given.isdecimal():
            raise VendorRefusal(400, "Bad Request", note=f"{VERSION}: required, a number")
        return int(given)

    def session(self, ask: Ask) -> Session:
        """The session of a call.  Raises VendorRefusal 403 or 503."""
        operation = ask.call.operation
        key = ask.path["key"] if operation == "session.delete" else ask.headers.get(KEY, "")
        session = self._org.sessions.get(key)
        silent_s = 0.0 if session is None else (self._clock.now() - session.heard_at) / 1000
        limit = self._assumptions.silence_ends_after_s
        if session is not None and limit is not None and silent_s > limit and not session.polling:
            self.drop(session, "no poll came for too long")
        if session is None or not session.known:
            raise VendorRefusal(403, "Session is not valid", note=f"{KEY}: not known, or no longer")
        if operation not in _WITHOUT_AFFINITY and (session.moved or ask.headers.get(AFFINITY) != session.affinity):
            raise VendorRefusal(503, MOVED, note=f"{AFFINITY}: another server has the session, or no token was given")
        return session

    def drop(self, session: Session, why: str) -> None:
        """The session is over, and its chat with it."""
        session.known = False
        chat = self._org.chats.get(session.id)
        if chat is not None:
            self._office.end(chat, why)
        self._changes.tell()

    def post(self, ask: Ask, do: Callable[[Session], None]) -> web.Response:
        """A POST of a session, in its turn.  Raises VendorRefusal 400 or 409."""
        session = self.session(ask)
        given = ask.headers.get(NUMBER, "")
        if not given.isdecimal() or not int(given):
            raise VendorRefusal(400, "Bad Request", note=f"{NUMBER}: required, a number from 1")
        number, newest = int(given), session.number
        if number == newest or (number < newest and self._assumptions.older_number == "dropped"):
            ask.call.note = "a repetition, dropped"
            return self.accepted()
        if number != newest + 1:
            note = f"{NUMBER} is {number} and must be {newest + 1}"
            raise VendorRefusal(409, f"Sequence out of step, the newest is {newest}", note=note)
        if session.resyncing and self._assumptions.resync_needed:
            raise VendorRefusal(500, "Internal Server Error", note="ChasitorResyncState has to come first")
        try:
            do(session)
        except VendorRefusal:
            session.number += self._assumptions.refused_posts_count
            raise
        session.number = number
        return self.accepted()

    def accepted(self) -> web.Response:
        """``OK``."""
        return web.Response(status=self._assumptions.accepted_status, text="OK")

    # ------------------------------------------------------------------------------------------- sessions
    async def create(self, ask: Ask) -> web.Response:
        """A session."""
        self.version(ask)
        seal = base64.b64encode(secrets.token_bytes(20)).decode().replace("/", "J")
        session = Session(
            id=str(uuid.uuid4()),
            key=f"{uuid.uuid4()}!{self._clock.now()}!{seal}",
            affinity=secrets.token_hex(4),
            inbox=Inbox(),
            heard_at=self._clock.now(),
        )
        self._org.sessions[session.key] = session
        seconds = math.ceil(self._waits.hold_ms / 1000) + _POLL_GRACE_S
        return answer(
            {
                "id": session.id,
                "key": session.key,
                "affinityToken": session.affinity,
                "clientPollTimeout": str(seconds) if self._assumptions.poll_timeout_as == "string" else seconds,
            }
        )

    async def delete(self, ask: Ask) -> web.Response:
        """The session ends, and its chat."""
        self.drop(self.session(ask), "client")
        return self.accepted()

    @staticmethod
    def visitor_id() -> str:
        """An id that nobody else has."""
        return str(uuid.uuid4())

    # ------------------------------------------------------------------------------------------- the poll
    async def poll(self, ask: Ask) -> web.Response:
        """What there is, at once; else what comes within ``Waits.hold_ms``; else 204."""
        session = self.session(ask)
        ack = _ack(ask)
        version = self.version(ask)
        self._alone(session)
        session.inbox.acknowledge(ack)
        self._forget_if_over(session)
        session.poll += 1
        mine, session.polling, session.heard_at = session.poll, True, self._clock.now()
        self._polled_from[session.key] = HUNG_UP.get()
        self._changes.tell()
        with contextlib.suppress(TimeoutError):
            await self._changes.until(
                lambda: self._there(session) or session.poll != mine or session.moved or not session.known,
                timeout_s=self._waits.hold_ms / 1000,
            )
        if session.poll != mine or not session.known:
            raise VendorRefusal(403, "Session is not valid", note="another poll came, or the session ended meanwhile")
        session.polling, session.heard_at = False, self._clock.now()
        if session.moved:
            raise VendorRefusal(503, MOVED, note="another server has the session")
        return self._batch(session, version)

    def _alone(self, session: Session) -> None:
        """Raises VendorRefusal 409 when another poll is held, which ends the session."""
        if not session.polling:
            return
        session.overlaps += 1
        gone = self._polled_from.get(session.key, HUNG_UP.get())
        if self._assumptions.notices_hang_up and gone():
            session.overlaps -= 1
            return
        self.drop(session, "two polls at once")
        raise VendorRefusal(409, "Duplicate long poll", note="another poll is held: the chat is over")

    def _forget_if_over(self, session: Session) -> None:
        chat = self._org.chats.get(session.id)
        if chat is not None and chat.state == "ended" and not session.inbox.waiting:
            session.known = False
            raise VendorRefusal(403, "Session is not valid", note="the chat is over, and its end was fetched")

    def _there(self, session: Session) -> bool:
        return session.inbox.waiting and not self._switches.paused

    def _batch(self, session: Session, version: int) -> web.Response:
        if not self._there(session):
            return web.Response(status=204)
        inbox = session.inbox
        body = inbox.take(backwards=self._switches.reorder, swapped=self._assumptions.typing_swapped)
        if self._assumptions.lost_answer == "gone":
            inbox.batch = []
        if version < WAIT_TIME_VERSION:
            for message in body["messages"]:
                message["message"].pop("estimatedWaitTime", None)
        return answer(body)

    # ------------------------------------------------------------------------------------ another server
    async def reconnect(self, ask: Ask) -> web.Response:
        """A new affinity token, in a list of messages."""
        if self.version(ask) < RECONNECT_VERSION:
            raise VendorRefusal(404, "Not Found", note=f"there since version {RECONNECT_VERSION}")
        session = self.session(ask)
        if ask.headers.get(AFFINITY) != "null":
            raise VendorRefusal(503, MOVED, note=f"{AFFINITY} has to be the word null")
        offset = ask.query.get("ReconnectSession.offset", "0")
        if not offset.isdecimal():
            raise VendorRefusal(400, "Bad Request", note="ReconnectSession.offset: a number")
        lost_before = session.resyncing  # the answer of the call before may never have arrived
        if not (session.moved or lost_before) and self._assumptions.reconnect_unmoved_status != 200:
            raise VendorRefusal(405, "Method Not Allowed", note="there was no 503 before")
        self._office.reconnect(session, int(offset))
        return wrapped("ReconnectSession", {"resetSequence": True, "affinityToken": session.affinity})

    async def resync(self, ask: Ask) -> web.Response:
        """The older way back, which is no event of the guide; a session that is over is not an error here."""
        self.version(ask)
        try:
            session = self.session(ask)
        except VendorRefusal:
            return self._resynced({"isValid": False})
        wanted = {value for name, value in ask.query.items() if name.lower().endswith("sessionid")}
        if wanted - {session.id}:
            return self._resynced({"isValid": False})
        self._office.reconnect(session, 0)
        self._changes.tell()
        return self._resynced({"isValid": True, "key": session.key, "affinityToken": session.affinity})

    def _resynced(self, fields: Mapping[str, Any]) -> web.Response:
        return wrapped("ResyncSession", fields) if self._assumptions.resync_wrapped else answer(fields)

    async def resync_state(self, ask: Ask) -> web.Response:
        """The caller is in step again; without a number."""
        session = self.session(ask)
        given = bodies.read(ask.body, bodies.ResyncState, strict=self._assumptions.refuse_unknown_fields)
        if not belongs(self._org, given.organization_id):
            raise VendorRefusal(400, "Bad Request", note="organizationId: another one")
        session.resyncing = False
        return self.accepted()


def _ack(ask: Ask) -> int | None:
    """What the caller has.  Raises VendorRefusal 400."""
    given = ask.query.get("ack")
    try:
        return None if given is None else int(given)
    except ValueError as error:
        raise VendorRefusal(400, "Bad Request", note="ack: a number") from error


def answer(fields: Mapping[str, Any]) -> web.Response:
    """A body, as JSON."""
    return web.Response(body=msgspec.json.encode(fields), content_type="application/json", charset="utf-8")


def wrapped(kind: str, fields: Mapping[str, Any]) -> web.Response:
    """One body, in a list of messages."""
    return answer({"messages": [{"type": kind, "message": fields}]})
