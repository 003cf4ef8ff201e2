"""The chat API v2.1, for servers.

Documented: methods, paths, names of fields, the rules of a handoff, that a session's id is the conversation's, 201 for a new
session, 400 for a list of sessions of nobody, and their order.  Assumed: 201 for a message; 200 with an empty object for
typing; that an assistant posts the same fields as an agent; the status of a broken rule
(``Assumptions.handoff_refused_status``).
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.kustomer import bodies
from warmline.simulators.kustomer.limits import Budget
from warmline.simulators.kustomer.office import Office
from warmline.simulators.kustomer.replies import Rows, data, page
from warmline.simulators.kustomer.state import Conversation

_FEWEST, _MOST = 2, 100
_CHAT = "/v2.1/chat"


class ChatApi:
    """Sessions, messages, typing."""

    def __init__(self, office: Office, budget: Budget) -> None:
        self._office = office
        self._account = office.account
        self._answers = office.answers
        self._budget = budget
        self._strict = office.assumptions.refuse_unknown_fields

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("POST", f"{_CHAT}/handoff", "chat.handoff", self.handoff),
            ("POST", f"{_CHAT}/sessions", "sessions.create", self.create),
            ("GET", f"{_CHAT}/sessions", "sessions.list", self.sessions),
            ("GET", f"{_CHAT}/sessions/{{id}}/messages", "sessions.messages", self.messages),
            ("POST", f"{_CHAT}/messages", "chat.message", self.message),
            ("POST", f"{_CHAT}/outbound/messages", "chat.outbound", self.outbound),
            ("POST", f"{_CHAT}/outbound/assistant/messages", "chat.assistant", self.assistant),
            ("POST", f"{_CHAT}/outbound/typing", "chat.typing", self.typing),
            ("PUT", f"{_CHAT}/satisfaction-responses/{{id}}", "chat.satisfaction", self.satisfaction),
        )

    async def handoff(self, ask: Ask) -> web.Response:
        """A session with what was said before."""
        given = bodies.read(ask.body, bodies.Handoff, strict=self._strict)
        fault = ""
        if not _FEWEST <= len(given.messages) <= _MOST:
            fault = f"A handoff has {_FEWEST} to {_MOST} messages."
        elif {one.direction for one in given.messages} != {"in", "out"}:
            fault = "A handoff has at least one inbound and one outbound message."
        if fault:
            raise VendorRefusal(self._office.assumptions.handoff_refused_status, fault)
        known = {one.session_external_id for one in self._account.conversations.values()}
        if given.external_id in known - {None} and self._office.assumptions.handoff_repeat == "refused":
            raise VendorRefusal(409, "Conflict", note=f"{given.external_id} was handed over already")
        self._office.customer(given.customer_id)
        self._budget.spend_on("conversations", given.customer_id)
        return data(self._answers.session(self._office.take_over(given)), 201)

    async def create(self, ask: Ask) -> web.Response:
        """An empty session."""
        given = bodies.read(ask.body, bodies.NewSession, strict=self._strict)
        self._office.customer(given.customer_id)
        self._budget.spend_on("conversations", given.customer_id)
        return data(self._answers.session(self._office.open_session(given)), 201)

    async def sessions(self, ask: Ask) -> web.Response:
        """Of a customer, or of a tracking id, or of either; the one that was written in last comes first."""
        customer_id, tracking_id = ask.query.get("customerId"), ask.query.get("trackingId")
        if not customer_id and not tracking_id:
            raise VendorRefusal(400, bodies.INVALID, note="customerId or trackingId is required")
        found = [
            one
            for one in self._account.conversations.values()
            if one.session and (one.customer_id == customer_id or (tracking_id and one.tracking_id == tracking_id))
        ]
        if active := ask.query.get("active"):
            found = [one for one in found if one.ended is not (active == "true")]
        if brand := ask.query.get("brandId"):
            found = [one for one in found if one.brand == brand]
        found.sort(key=_last_message_at, reverse=True)
        return page(ask, [self._answers.session(one) for one in found])

    async def messages(self, ask: Ask) -> web.Response:
        """What was said in a session; ``fields`` chooses attributes."""
        session = self._office.conversation(ask.path["id"])
        lines = sorted((one for one in session.messages if one.chat), key=lambda one: one.sent_at)
        if self._office.assumptions.newest_first:
            lines.reverse()
        shown = [self._answers.chat_message(one, session) for one in lines]
        if fields := ask.query.get("fields"):
            wanted = set(fields.split(","))
            for one in shown:
                one["attributes"] = {name: value for name, value in one["attributes"].items() if name in wanted}
        return page(ask, shown)

    async def message(self, ask: Ask) -> web.Response:
        """The customer writes."""
        given = bodies.read(ask.body, bodies.ChatMessage, strict=self._strict)
        session = self._office.session(given.session, given.customer_id)
        files = _content(given.body, given.attachments)
        self._budget.spend_on("messages", given.customer_id)
        made = self._office.customer_says(session, given.body or "", files)
        return data(self._answers.chat_message(made, session), 201)

    async def outbound(self, ask: Ask) -> web.Response:
        """A member writes."""
        return self._member_says(ask, assistant=False)

    async def assistant(self, ask: Ask) -> web.Response:
        """The bot writes."""
        return self._member_says(ask, assistant=True)

    def _member_says(self, ask: Ask, *, assistant: bool) -> web.Response:
        given = bodies.read(ask.body, bodies.OutboundChatMessage, strict=self._strict)
        session = self._office.session(given.session, given.customer_id)
        author = self._office.user(given.sender)
        files = _content(given.body, given.attachments)
        self._budget.spend_on("messages", given.customer_id)
        made = self._office.member_says(
            session, author.id, given.body or "", files, auto=bool(given.auto), assistant=assistant, own=True
        )
        return data(self._answers.chat_message(made, session), 201)

    async def typing(self, ask: Ask) -> web.Response:
        """A member types, which the customer sees; there is no such call for the other way."""
        given = bodies.read(ask.body, bodies.Typing, strict=self._strict)
        self._office.session(given.session, given.customer_id)
        self._office.user(given.sender)
        return web.Response(body=b"{}", content_type="application/json")

    async def satisfaction(self, ask: Ask) -> web.Response:
        """What the customer thinks; that the response's id is the conversation's is assumed."""
        given = bodies.read(ask.body, bodies.Rating, strict=self._strict)
        conversation = self._office.conversation(ask.path["id"])
        with self._office.changed(conversation):
            conversation.satisfaction = given.rating if given.rating is not None else conversation.satisfaction
        answer = {"type": "satisfaction_response", "id": conversation.id, "attributes": msgspec.to_builtins(given)}
        return data(answer)


def _last_message_at(session: Conversation) -> int:
    return max((one.sent_at for one in session.messages if one.chat), default=session.created_at)


def _content(body: str | None, attachments: bodies.Files) -> tuple[str, ...]:
    """The attachments.  Raises VendorRefusal 400 when there is neither text nor file."""
    files = bodies.file_ids(attachments)
    if not body and not files:
        raise VendorRefusal(400, bodies.INVALID, note="body or attachments is required")
    return files
