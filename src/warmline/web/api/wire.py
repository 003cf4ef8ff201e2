"""The custom CRM's wire, inward: ``/agent/converse/send-message-to-widget`` and ``/converse/chat``.

Order of checks: 401 key → 400 form → 404 conversation → 409 state.  200 is answered after the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from warmline.accounts.api_keys import ApiKeys
from warmline.handover.converse import Converse
from warmline.handover.inbound import Inbound
from warmline.handover.port import AgentReplied, DeskEvent
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.errors import Conflict, Invalid, NotFound, Unauthorized
from warmline.kernel.ids import is_uuid
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import NO_STORE, Receive, Scope, Send, check_depth, read_body, send_bytes
from warmline.web.security import header

AGENT_PATH = "/agent/converse/send-message-to-widget"
CHAT_PATH = "/converse/chat"
MAX_BODY = 256 * 1024
_KEY_LIMIT = 200


class ConverseEvent(Protocol):
    """What ``parse_converse`` gives; see the custom CRM desk."""

    @property
    def kind(self) -> str: ...
    @property
    def external_id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def details(self) -> tuple[Any, ...]: ...
    @property
    def message_id(self) -> str | None: ...
    @property
    def card_index(self) -> int | None: ...


class WireSurface:
    """The two paths.  The parsers come from the custom CRM's desk; ``serves`` tells whose bot an id is."""

    def __init__(
        self,
        keys: ApiKeys,
        inbound: Inbound,
        converse: Converse,
        *,
        serves: Callable[[str, str], bool],
        parse_agent: Callable[[bytes], DeskEvent],
        parse_converse: Callable[[bytes], ConverseEvent],
        bodies: tuple[Any, Any],
    ) -> None:
        self._keys = keys
        self._inbound = inbound
        self._converse = converse
        self._serves = serves
        self._parse_agent = parse_agent
        self._parse_converse = parse_converse
        self._bodies = bodies

    def routes(self) -> list[RawRoute]:
        """The routes, for the front."""
        return [
            RawRoute(path=AGENT_PATH, method="POST", handler=self.agent, operation=_agent_operation(self._bodies[0])),
            RawRoute(path=CHAT_PATH, method="POST", handler=self.chat, operation=_chat_operation(self._bodies[1])),
        ]

    async def agent(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An event of the agent's side."""
        connection_id, bot_id = await self._authenticate(scope)
        body = await read_body(receive, MAX_BODY)
        check_depth(body)
        event = self._parse_agent(body)
        key = _key_of(scope, event.vendor_event_id)
        ref = event.thread_ref
        if not is_uuid(ref):
            await self._not_ours(connection_id, ref)
        try:
            await self._inbound.receive(
                connection_id,
                event,
                conversation_id=ref,
                bot_id=bot_id,
                key=key if isinstance(event, AgentReplied) else None,
            )
        except NotFound:
            await self._not_ours(connection_id, ref)
        await send_bytes(send, 200, b"{}", _JSON)

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An event of the visitor's side, from a CRM that is the front end itself."""
        connection_id, bot_id = await self._authenticate(scope)
        body = await read_body(receive, MAX_BODY)
        check_depth(body)
        event = self._parse_converse(body)
        ref = event.external_id
        match event.kind:
            case "startSession":
                await self._converse.start(connection_id, bot_id, ref)
            case "message":
                key = _key_of(scope, event.message_id)
                await self._converse.say(
                    connection_id,
                    bot_id,
                    ref,
                    event.text,
                    key=_stored_once(connection_id, ref, key, event.text),
                    card_index=event.card_index,
                )
            case "endSession":
                await self._converse.end(connection_id, ref)
        if event.details:
            await self._converse.describe(
                connection_id,
                bot_id,
                ref,
                {detail.key: detail.value for detail in event.details},
                tuple(detail.key for detail in event.details if detail.sanitize),
            )
        await send_bytes(send, 200, b"", [NO_STORE])

    async def _authenticate(self, scope: Scope) -> tuple[str, str]:
        token = bot_id = ""
        for name, value in scope["headers"]:
            if name == b"authorization":
                token = value.decode("latin-1")
            elif name == b"botid":
                bot_id = value.decode("latin-1")
        key = self._keys.authenticate(token, "wire")
        connection_id = key.connection_id or ""
        if not bot_id or not self._serves(connection_id, bot_id):
            raise Unauthorized("The header botid is missing, or names no bot of this connection.", code="bot_refused")
        return connection_id, bot_id

    async def _not_ours(self, connection_id: str, ref: str) -> None:
        """Raises NotFound, or Conflict when the id is one of the CRM's own front end."""
        if await self._converse.find(connection_id, ref) is not None:
            raise Conflict(
                "This conversation has no widget of ours: its front end is yours.", code="not_a_widget_conversation"
            )
        raise NotFound("There is no such conversation.", path="$.platformConversationId")


_JSON = [(b"content-type", b"application/json"), NO_STORE]


def _key_of(scope: Scope, in_body: str | None) -> str | None:
    given = header(scope, b"idempotency-key")
    if given is None:
        return in_body
    if not 0 < len(given) <= _KEY_LIMIT:
        raise Invalid(f"The header has 1 to {_KEY_LIMIT} characters.", path="header.Idempotency-Key")
    return in_body or given.decode("latin-1")


def _stored_once(connection_id: str, ref: str, key: str | None, text: str) -> IdempotencyKey | None:
    if key is None:
        return None
    digest = hashlib.sha256(text.encode()).hexdigest()
    # The CRM's own id may be a telephone number, and keys outlive an erasure.
    known_as = hashlib.sha256(ref.encode()).hexdigest()[:32]
    return IdempotencyKey(scope=f"converse:{connection_id}:{known_as}", key=key, body_hash=digest)


_HEADERS = (
    Parameter(name="botid", where="header", description="The bot's id: 24 hexadecimal digits.", required=True),
    Parameter(
        name="Idempotency-Key",
        where="header",
        description="A message with a key that was used before is stored once.",
    ),
)
_PROBLEMS = (400, 401, 404, 409, 413, 422)


def _agent_operation(body: Any) -> Operation:
    return Operation(
        id="sendMessageToWidget",
        summary="Report an event of the agent's side",
        description=(
            "For a custom CRM that handles escalations of the widget. Answers 200 after the event is stored. "
            "409 names the rule in `code`: `not_offered`, `not_connected`, `already_connected`, `stale_owner`, "
            "`closed`, `not_a_widget_conversation`."
        ),
        tags=("Custom CRM",),
        request=body,
        responses={200: dict[str, Any]},
        problems=_PROBLEMS,
        parameters=_HEADERS,
        security=("connectionKey",),
    )


def _chat_operation(body: Any) -> Operation:
    return Operation(
        id="converseChat",
        summary="Report an event of the visitor's side",
        description=(
            "For a custom CRM that brings its own front end. The bot's answers arrive at the connection's webhook. "
            "While the CRM's people own the conversation, messages get 409 `owned_by_desk`."
        ),
        tags=("Custom CRM",),
        request=body,
        responses={200: None},
        problems=_PROBLEMS,
        parameters=_HEADERS,
        security=("connectionKey",),
    )
