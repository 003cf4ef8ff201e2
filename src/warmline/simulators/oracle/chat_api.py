"""The HTTP side: establishing a session, and the consumer operations.

Documented: methods, paths, headers, the status codes, JSON inside JSON, one poll at a time, the empty list after the wait.
Assumed: the fields of answers to posts, activities and conclusions (the echo of ``clientTransactionId`` is documented), and
of the answer to a question for a queue.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from warmline.kernel.clock import Clock, to_rfc3339
from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.changes import Changes
from warmline.simulators.oracle import bodies, messages
from warmline.simulators.oracle.office import Office
from warmline.simulators.oracle.state import Engagement, Queue, Token
from warmline.simulators.script import Kind, Switches, Waits

ESTABLISH = "/services/rest/crossChannelServices/latest/establishSessions"
CONSUMER = "/engagement/api/consumer/{site}/v1"
CONTEXT = "OSvC-CREST-Application-Context"
_CONTEXT_CHARACTERS = 40
_SESSION_OPERATIONS = frozenset({"chat.poll", "chat.activity", "chat.post", "chat.conclude"})


class ChatApi:
    """Operations; ``user`` and ``password`` are those of the service account."""

    def __init__(self, office: Office, clock: Clock, changes: Changes, waits: Waits, switches: Switches) -> None:
        self.user, self.password = "warmline", "simulated-password"
        self._office = office
        self._site = office.site
        self._assumptions = office.assumptions
        self._clock = clock
        self._changes = changes
        self._waits = waits
        self._switches = switches
        self.url: Callable[[], str] = lambda: ""

    def routes(self) -> list[Route]:
        """All operations."""
        return [
            Route("POST", ESTABLISH, "sessions.establish", self.establish),
            Route("POST", f"{CONSUMER}/requestEngagement", "chat.request", self.request),
            Route("POST", f"{CONSUMER}/getMessages", "chat.poll", self.poll),
            Route("POST", f"{CONSUMER}/activity", "chat.activity", self.activity),
            Route("POST", f"{CONSUMER}/postMessage", "chat.post", self.post),
            Route("POST", f"{CONSUMER}/concludeEngagement", "chat.conclude", self.conclude),
            Route("GET", f"{CONSUMER}/getQueueStats", "queues.stats", self.stats),
            Route("GET", f"{CONSUMER}/getEngagementQueue", "queues.by_rules", self.queue),
        ]

    # ---------------------------------------------------------------------------------------- credentials
    def caller(self, ask: Ask) -> str:
        """Who calls.  Raises VendorRefusal 401 or 403."""
        operation = ask.call.operation
        if operation == "sessions.establish":
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if not hmac.compare_digest(ask.headers.get("Authorization", "").encode(), f"Basic {pair}".encode()):
                raise VendorRefusal(401, "Unauthorized", note="another user or password, or no Basic authorization")
            return self.user
        if operation == "chat.request":
            self._token(ask)
        elif operation in _SESSION_OPERATIONS:
            return self._session(ask).session_id
        return "consumer"

    def _token(self, ask: Ask) -> Token:
        found = self._site.tokens.get(ask.headers.get("Authorization", "").removeprefix("Bearer "))
        if found is None or not ask.headers["Authorization"].startswith("Bearer "):
            raise VendorRefusal(403, "Forbidden", note="no channel token of this site after Bearer")
        if found.expires_at is not None and found.expires_at <= self._clock.now():
            raise VendorRefusal(403, "Forbidden", note="the channel token has expired")
        if found.used and self._assumptions.token_once:
            raise VendorRefusal(403, "Forbidden", note="the channel token was used")
        return found

    def _session(self, ask: Ask) -> Engagement:
        return self._office.session(ask.headers.get("SessionId", ""))

    # ------------------------------------------------------------------------------------------ the start
    async def establish(self, ask: Ask) -> web.Response:
        """A channel token, and where to go with it."""
        context = ask.headers.get(CONTEXT)
        if (context is None and self._assumptions.context_required) or len(context or "") > _CONTEXT_CHARACTERS:
            raise VendorRefusal(400, bodies.BAD_REQUEST, note=f"{CONTEXT}: required, up to 40 characters")
        given = self._read(ask, bodies.Session)
        strict = self._assumptions.refuse_unknown_attributes
        inside = given.session_information.encode()
        information = bodies.read(inside, bodies.SessionInformation, strict=strict, about="sessionInformation: ")
        kept = {
            name: value for name, value in msgspec.to_builtins(information).items() if value is not None
        } | msgspec.json.decode(inside)
        here = urlsplit(self.url())
        port: str | int | None = here.port
        if self._assumptions.port_as == "string":
            port = str(port)
        server = {"domain": here.hostname, "pool": self._site.pool, "port": port}
        return _answer(
            {
                "channelToken": self._office.let_in(kept),
                "siteName": self._site.name,
                "sessionServerResponse": msgspec.json.encode(server).decode(),
            }
        )

    async def request(self, ask: Ask) -> web.Response:
        """An engagement."""
        self._at_home(ask, self._site.pool)
        given = self._read(ask, bodies.Body)
        engagement = self._office.begin(self._token(ask))
        fields = {
            "clientId": engagement.client_id,
            "engagementId": engagement.id,
            "sessionId": engagement.session_id,
            "resultType": "SUCCESS",
            "cancelledSurveyId": 7,
            "cancelledSurveyAuth": "simulated",
        }
        return self._done(given, fields)

    # ------------------------------------------------------------------------------------------- the chat
    async def poll(self, ask: Ask) -> web.Response:
        """What there is, at once; else what comes within ``Waits.hold_ms``; else nothing."""
        engagement = self._at_home(ask, None)
        self._read(ask, bodies.Body)
        if engagement.polling:
            engagement.overlaps += 1
            if self._assumptions.second_poll == "refused":
                raise VendorRefusal(400, bodies.BAD_REQUEST, note="another poll is held for this session")
        engagement.poll += 1
        mine, engagement.polling = engagement.poll, True
        self._changes.tell()
        with contextlib.suppress(TimeoutError):
            await self._changes.until(
                lambda: self._there(engagement) or engagement.poll != mine, timeout_s=self._waits.hold_ms / 1000
            )
        if engagement.poll != mine:
            return _answer({"systemMessages": [], "errorMessages": []})
        engagement.polling = False
        return self._batch(engagement, lost=ask.call.trouble is Kind.LOST)

    def _there(self, engagement: Engagement) -> bool:
        return bool(engagement.outgoing) and not self._switches.paused

    def _batch(self, engagement: Engagement, *, lost: bool) -> web.Response:
        batch = list(engagement.outgoing) if self._there(engagement) else []
        engagement.outgoing = engagement.outgoing[len(batch) :]

        def back() -> None:
            engagement.outgoing = batch + engagement.outgoing
            self._changes.tell()

        def told() -> None:
            names = {one["messageName"] for one in batch}
            if engagement.next_pool and messages.CONFIGURATION in names:
                engagement.pool, engagement.next_pool = engagement.next_pool, None
            if messages.CONCLUDED in names:
                engagement.known = False

        if lost:
            (back if self._assumptions.lost_answer == "again" else told)()
        shown = batch[::-1] if self._switches.reorder else batch
        body = {"systemMessages": shown, "errorMessages": []}
        return PollAnswer(body, told, back if self._assumptions.notices_hang_up else told)

    async def post(self, ask: Ask) -> web.Response:
        """The visitor writes."""
        engagement = self._at_home(ask, None)
        given = self._read(ask, bodies.PostedMessage)
        if not given.body:
            raise VendorRefusal(400, bodies.BAD_REQUEST, note="body is empty")
        self._office.posts(engagement, given)
        return self._done(given, {"messageId": given.message_id})

    async def activity(self, ask: Ask) -> web.Response:
        """The visitor types, or stopped."""
        engagement = self._at_home(ask, None)
        given = self._read(ask, bodies.Activity)
        engagement.typing = given.mode == "RESPONDING"
        engagement.preview = given.sneak_preview or ""
        return self._done(given, {})

    async def conclude(self, ask: Ask) -> web.Response:
        """The visitor ends it."""
        engagement = self._at_home(ask, None)
        given = self._read(ask, bodies.Body)
        if engagement.state == "ended" and self._assumptions.conclude_twice == "refused":
            raise VendorRefusal(403, "Forbidden", note="the chat is over")
        self._office.conclude(engagement, "END_USER_CONCLUDED", "CONSUMER")
        return self._done(given, {})

    # ------------------------------------------------------------------------------------------ the queues
    async def stats(self, ask: Ask) -> web.Response:
        """Who is there for a queue."""
        self._at_home(ask, self._site.pool)
        given = bodies.read(_question(ask), bodies.StatsRequest, strict=self._assumptions.refuse_unknown_fields)
        queue = self._site.queue(given.queue_id)
        if queue is None:
            raise VendorRefusal(404, "Not Found", note=f"there is no queue {given.queue_id}")
        return _answer(self._stats(queue, by_agents=given.chat_proactive_available_type == "AGENTS"))

    async def queue(self, ask: Ask) -> web.Response:
        """Where the rules would send somebody: here always to the first queue."""
        self._at_home(ask, self._site.pool)
        bodies.read(_question(ask), bodies.QueueRequest, strict=self._assumptions.refuse_unknown_fields)
        queue = self._site.queues[0]
        return _answer({**messages.with_twins({"queueId": queue.id}), "queueName": queue.name})

    def _stats(self, queue: Queue, *, by_agents: bool) -> Mapping[str, Any]:
        free = self._site.free_agents() if queue.open else []
        sessions = len(free) if by_agents else sum(self._site.room(one) for one in free)
        return messages.with_twins(
            {
                "queueId": queue.id,
                "availableAgentSessions": sessions,
                "totalAvailableAgents": len(free),
                "engagementsInQueue": len(self._site.waiting_in(queue.id)),
            }
        )

    # --------------------------------------------------------------------------------------------- inside
    def _read(self, ask: Ask, kind: type[bodies.T]) -> bodies.T:
        return bodies.read(ask.body, kind, strict=self._assumptions.refuse_unknown_fields)

    def _at_home(self, ask: Ask, pool: str | None) -> Any:
        """Check site and pool; without ``pool`` it is the session's, whose engagement is returned."""
        engagement = None if pool is not None else self._session(ask)
        expected = pool if engagement is None else engagement.pool
        if ask.path["site"] != self._site.name:
            raise VendorRefusal(404, "Not Found", note=f"there is no site {ask.path['site']}")
        if ask.query.get("pool") != expected:
            note = f"pool is {ask.query.get('pool')!r} and must be {expected!r}"
            raise VendorRefusal(self._assumptions.wrong_pool_status, "Not Found", note=note)
        return engagement

    def _done(self, given: bodies.Body, fields: Mapping[str, Any]) -> web.Response:
        now = to_rfc3339(self._clock.now())
        times = {"serviceStartTime": now, "serviceFinishTime": now}
        return _answer(messages.with_twins({**fields, "clientTransactionId": given.client_transaction_id, **times}))


class PollAnswer(web.Response):
    """The answer to a poll: ``told`` is called when it goes out, ``nobody`` when its caller has hung up."""

    def __init__(self, body: Mapping[str, Any], told: Callable[[], None], nobody: Callable[[], None]) -> None:
        super().__init__(body=msgspec.json.encode(body), content_type="application/json", charset="utf-8")
        self._told, self._nobody = told, nobody

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head, if the connection still stands."""
        gone = request.transport is None or request.transport.is_closing()
        (self._nobody if gone else self._told)()
        return await super().prepare(request)


def _question(ask: Ask) -> bytes:
    """The JSON in the query.  Raises VendorRefusal 400."""
    given = ask.query.get("request", "")
    if not given or "\n" in given:
        raise VendorRefusal(400, bodies.BAD_REQUEST, note="request: JSON without line breaks")
    return given.encode()


def _answer(fields: Mapping[str, Any]) -> web.Response:
    return web.Response(body=msgspec.json.encode(fields), content_type="application/json", charset="utf-8")
