"""The HTTP side of chats: what visitors post, what is asked before there is a session, and the upload of files.

Documented: nouns, bodies and queries, ``SwitchServer``, that nothing is to be posted before ``ChatEstablished``.  Reported:
the query and the field of an upload.  Assumed: 400 for an organization, a deployment or a button that is not known, and
that an upload is answered with ``OK``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.forms import parts
from warmline.simulators.salesforce_legacy import bodies
from warmline.simulators.salesforce_legacy.office import Office, belongs
from warmline.simulators.salesforce_legacy.session_api import (
    REST,
    SESSION_OPERATIONS,
    WAIT_TIME_VERSION,
    SessionApi,
    answer,
    wrapped,
)
from warmline.simulators.salesforce_legacy.state import ID_CHARACTERS, Chat, Session, Upload, same

UPLOAD = "/content/upload"
"""Where visitors' files go: another server, with the vendor."""
EARLY = "java.lang.NullPointerException"
Do = Callable[[Session, Any, bool], None]
_ENCODING = "UTF-8"


class ChatApi:
    """Operations of ``Chasitor`` and ``Visitor``."""

    def __init__(self, office: Office, sessions: SessionApi) -> None:
        self.moved_to = ""
        """The address to which the organization has moved; "" while it is here."""
        self.url: Callable[[], str] = lambda: ""
        self._office = office
        self._org = office.org
        self._assumptions = office.assumptions
        self._sessions = sessions
        self._nouns: Mapping[str, tuple[str, type[bodies.Body], Do]] = {
            "ChasitorInit": ("chat.request", bodies.ChasitorInit, self._init),
            "ChatMessage": ("chat.message", bodies.ChatMessage, self._message),
            "ChasitorTyping": ("chat.typing", bodies.Body, self._typing),
            "ChasitorNotTyping": ("chat.not_typing", bodies.Body, self._not_typing),
            "ChasitorSneakPeek": ("chat.sneak_peek", bodies.SneakPeek, self._sneak_peek),
            "ChatEnd": ("chat.end", bodies.ChatEnd, self._end),
            "CustomEvent": ("chat.custom_event", bodies.CustomEvent, self._custom_event),
            "ChasitorIdleTimeoutWarningEvent": ("chat.idle_warning", bodies.IdleWarning, self._idle_warning),
            "SensitiveDataRuleTriggered": ("chat.rules", bodies.RulesTriggered, self._rules),
        }
        self._of_a_session = SESSION_OPERATIONS | {operation for operation, _kind, _do in self._nouns.values()}

    def routes(self) -> list[Route]:
        """All operations."""
        return [
            *self._sessions.routes(),
            *(
                Route("POST", f"{REST}/Chasitor/{noun}", operation, self.post)
                for noun, (operation, _kind, _do) in self._nouns.items()
            ),
            Route("POST", f"{REST}/System/MultiNoun", "batch", self.batch),
            Route("GET", f"{REST}/Visitor/Settings", "visitor.settings", self.settings),
            Route("GET", f"{REST}/Visitor/Availability", "visitor.availability", self.availability),
            Route("GET", f"{REST}/Visitor/VisitorId", "visitor.id", self.visitor_id),
            Route("POST", f"{REST}/Visitor/Breadcrumb", "visitor.breadcrumb", self.breadcrumb),
            Route("POST", UPLOAD, "file.upload", self.upload),
        ]

    def caller(self, ask: Ask) -> str:
        """Who calls.  Raises VendorRefusal 400, 403 or 503."""
        if not ask.call.path.startswith(REST):
            return "upload"
        self._sessions.version(ask)
        return self._sessions.session(ask).id if ask.call.operation in self._of_a_session else "visitor"

    # -------------------------------------------------------------------------------------- visitors' POSTs
    async def post(self, ask: Ask) -> web.Response:
        """One noun of ``Chasitor``."""
        noun = ask.call.path.rpartition("/")[2]
        return self._sessions.post(ask, lambda session: self._do(session, noun, ask.body, batched=False))

    async def batch(self, ask: Ask) -> web.Response:
        """Several nouns under one number, in their order; with one that is wrong nothing of them is done."""

        def do(session: Session) -> None:
            given = self._read(ask.body, bodies.MultiNoun)
            for one in given.nouns:
                if one.noun not in self._nouns:
                    raise VendorRefusal(404, "Not Found", note=f"there is no noun {one.noun}")
                self._read(one.body, self._nouns[one.noun][1])
            for one in given.nouns:
                self._do(session, one.noun, one.body, batched=True)

        return self._sessions.post(ask, do)

    def _do(self, session: Session, noun: str, body: bytes, *, batched: bool) -> None:
        _operation, kind, do = self._nouns[noun]
        do(session, self._read(body, kind), batched)

    def _read(self, body: bytes, kind: type[bodies.T]) -> bodies.T:
        return bodies.read(body, kind, strict=self._assumptions.refuse_unknown_fields)

    def _init(self, session: Session, given: bodies.ChasitorInit, _batched: bool) -> None:
        wrong = {
            "isPost: must be true": not given.is_post,
            "sessionId: another one": given.session_id != session.id,
            "organizationId: another one": not belongs(self._org, given.organization_id),
            "deploymentId: not known": not same(given.deployment_id, self._org.deployment_id),
            "no button, agent or override that is known": not self._known_targets(given),
            "the session has a chat": session.id in self._org.chats,
        }
        for note, is_so in wrong.items():
            if is_so:
                raise VendorRefusal(400, "Bad Request", note=note)
        self._office.begin(session, given)

    def _known_targets(self, given: bodies.ChasitorInit) -> bool:
        targets = [part for one in given.button_overrides for part in one.split("_")]
        targets = targets or [one for one in (given.agent_id, given.button_id) if one]
        return bool(targets) and all(self._org.button(one) or self._org.agent(one) for one in targets)

    def _established(self, session: Session) -> Chat:
        """Raises VendorRefusal 403 or 500."""
        chat = self._running(session)
        if not chat.established:
            raise VendorRefusal(500, EARLY, note="ChatEstablished has not been told yet")
        return chat

    def _running(self, session: Session) -> Chat:
        chat = self._org.chats.get(session.id)
        if chat is None:
            raise VendorRefusal(500, EARLY, note="ChasitorInit has to come first")
        if chat.state == "ended":
            raise VendorRefusal(403, "Session is not valid", note="the chat is over")
        return chat

    def _message(self, session: Session, given: bodies.ChatMessage, batched: bool) -> None:
        self._office.visitor_says(self._established(session), given.text, batched=batched)

    def _typing(self, session: Session, _given: bodies.Body, _batched: bool) -> None:
        self._office.visitor_types(self._established(session), on=True)

    def _not_typing(self, session: Session, _given: bodies.Body, _batched: bool) -> None:
        self._office.visitor_types(self._established(session), on=False)

    def _sneak_peek(self, session: Session, given: bodies.SneakPeek, _batched: bool) -> None:
        self._office.visitor_types(self._established(session), on=True, preview=given.text)

    def _end(self, session: Session, given: bodies.ChatEnd, batched: bool) -> None:
        chat = self._running(session)
        if self._assumptions.end_while_waiting == "refused":
            chat = self._established(session)
        if given.reason is None and not batched:
            raise VendorRefusal(400, "Bad Request", note="reason: required")
        self._office.end(chat, given.reason or "client")

    def _custom_event(self, session: Session, given: bodies.CustomEvent, _batched: bool) -> None:
        self._established(session).custom_events.append((given.type, given.data))

    def _idle_warning(self, session: Session, given: bodies.IdleWarning, _batched: bool) -> None:
        chat = self._established(session)
        self._office.note(chat, f"idle warning {given.idle_timeout_warning_event}")

    def _rules(self, session: Session, given: bodies.RulesTriggered, _batched: bool) -> None:
        names = ", ".join(rule.name for rule in given.rules)
        self._office.note(self._established(session), f"sensitive data: {names}")

    # ------------------------------------------------------------------------------------ before a session
    async def settings(self, ask: Ask) -> web.Response:
        """The deployment, with the buttons that were asked for."""
        if moved := self._visitor(ask):
            return moved
        wanted = _ids(ask.query.get("Settings.buttonIds", ""))
        buttons = [one for one in map(self._org.button, wanted) if one is not None]
        told = [
            {"id": one.id, "type": "Standard", "language": "en_US", **self._state(one.id, ask, "Settings")}
            for one in buttons
        ]
        fields = {"pingRate": 50_000, "contentServerUrl": self.url(), "buttons": told}
        return self._visitors("Settings", fields)

    async def availability(self, ask: Ask) -> web.Response:
        """Who takes requests; whoever does not has no ``isAvailable``."""
        if moved := self._visitor(ask):
            return moved
        long = len(ask.query.get("deployment_id", "")) != ID_CHARACTERS
        if long and self._assumptions.long_deployment_id == "refused":
            raise VendorRefusal(400, "Bad Request", note=f"deployment_id: {ID_CHARACTERS} characters")
        wanted = _ids(ask.query.get("Availability.ids", ""))
        results = [{"id": one, **self._state(one, ask, "Availability")} for one in wanted]
        return self._visitors("Availability", {"results": results})

    async def visitor_id(self, ask: Ask) -> web.Response:
        """An id to follow a visitor with."""
        if moved := self._visitor(ask):
            return moved
        return self._visitors("VisitorId", {"sessionId": self._sessions.visitor_id()})

    async def breadcrumb(self, ask: Ask) -> web.Response:
        """The page that the visitor looks at; how a chat is found is not documented, here by the session's key."""
        given = self._read(ask.body, bodies.Breadcrumb)
        for session in self._org.sessions.values():
            if session.key == ask.headers.get("X-LIVEAGENT-SESSION-KEY"):
                session.location = given.location
        return self._sessions.accepted()

    def _visitor(self, ask: Ask) -> web.Response | None:
        """The answer to a call that is wrong here.  Raises VendorRefusal 400."""
        if self.moved_to:
            return wrapped("SwitchServer", {"newUrl": self.moved_to})
        if not belongs(self._org, ask.query.get("org_id", "")):
            raise VendorRefusal(400, "Bad Request", note="org_id: another one, or none")
        if not same(ask.query.get("deployment_id", ""), self._org.deployment_id):
            raise VendorRefusal(400, "Bad Request", note="deployment_id: not known, or none")
        return None

    def _state(self, target: str, ask: Ask, noun: str) -> dict[str, Any]:
        button = self._org.button(target)
        state: dict[str, Any] = {"isAvailable": True} if self._org.available(button or self._org.agent(target)) else {}
        wanted = ask.query.get(f"{noun}.needEstimatedWaitTime") == "1"
        if wanted and self._sessions.version(ask) >= WAIT_TIME_VERSION:
            state["estimatedWaitTime"] = -1 if button is None else self._office.estimate(button)
        return state

    def _visitors(self, kind: str, fields: Mapping[str, Any]) -> web.Response:
        return wrapped(kind, fields) if self._assumptions.visitor_answers_wrapped else answer(fields)

    # ----------------------------------------------------------------------------------------------- files
    async def upload(self, ask: Ask) -> web.Response:
        """The file that an agent asked for."""
        given = ask.query
        if given.get("encoding") != _ENCODING or not belongs(self._org, given.get("orgId", "")):
            raise VendorRefusal(400, "Bad Request", note=f"orgId, and encoding={_ENCODING}")
        chat = next((one for one in self._org.chats.values() if self._asked(one, given)), None)
        if chat is None:
            raise VendorRefusal(403, "Forbidden", note="chatKey and fileToken: nobody asked for a file")
        files = [one for one in parts(ask) if one.field == "file" and one.filename]
        if len(files) != 1:
            raise VendorRefusal(400, "Bad Request", note="a form with one field called file")
        (file,) = files
        self._office.upload(chat, Upload(name=file.filename, media_type=file.media_type, body=file.content))
        return self._sessions.accepted()

    def _asked(self, chat: Chat, given: Mapping[str, str]) -> bool:
        whole = chat.session.key
        first = whole.partition("!")[0]
        keys = {"either": {whole, first}, "whole": {whole}, "first part": {first}}[self._assumptions.chat_key]
        token = chat.file_token
        return bool(token) and given.get("fileToken") == token and given.get("chatKey") in keys


def _ids(given: str) -> list[str]:
    """An array in a query: ``[one,two]`` or ``one,two``."""
    return [one.strip().strip('"') for one in given.strip().strip("[]").split(",") if one.strip()]
