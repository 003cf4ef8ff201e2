"""What happens to chats, whoever causes it; each change says so in the session's inbox.

Documented: the events and their fields, that a request that succeeded is not accepted yet, that the first available target
of ``buttonOverrides`` is taken, how waiting times are smoothed.  Assumed: that nothing is told of a transfer to a button
until somebody there accepts, and the literals of ``ChatEnded.reason``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from warmline.kernel.clock import Clock
from warmline.simulators.base import VendorRefusal
from warmline.simulators.salesforce_legacy import bodies, inbox
from warmline.simulators.salesforce_legacy.assumptions import Assumptions
from warmline.simulators.salesforce_legacy.state import Agent, Button, Chat, Line, Org, Session, Upload, same

UNAVAILABLE = "Unavailable"
"""The one reason of ``ChatRequestFail`` that is known."""
_KEEPS, _LEARNS = 0.9, 0.1
_PLACE = {
    "countryCode": "DK",
    "countryName": "Denmark",
    "region": "84",
    "city": "Copenhagen",
    "organization": "Lumen Lamps",
    "latitude": 55.6759,
    "longitude": 12.5655,
}
Tell = Callable[[Session, str, Mapping[str, Any]], None]


class Office:
    """The rules.  Methods raise VendorRefusal where Live Agent refuses."""

    def __init__(self, org: Org, clock: Clock, assumptions: Assumptions, tell: Tell) -> None:
        self.org = org
        self.assumptions = assumptions
        self.began_to_wait: Callable[[Chat], None] = lambda _chat: None
        self.visitor_spoke: Callable[[Chat], None] = lambda _chat: None
        self._clock = clock
        self._tell = tell

    def chat(self, chat_id: str) -> Chat:
        """Raises VendorRefusal 404."""
        found = self.org.chats.get(chat_id)
        if found is None:
            raise VendorRefusal(404, "Not Found", note=f"there is no chat {chat_id}")
        return found

    # ---------------------------------------------------------------------------------------- the request
    def begin(self, session: Session, given: bodies.ChasitorInit) -> None:
        """A chat that waits, or a request that failed."""
        targets = given.button_overrides or [_target(given)]
        found = [self._routed(target) for target in targets]
        agent, button = next((pair for pair in found if self.org.available(pair[0] or pair[1])), (None, None))
        known = next((one for _agent, one in found if one is not None), self.org.buttons[0])
        chat = Chat(
            session=session,
            visitor_name=given.visitor_name,
            init=msgspec.to_builtins(given),
            button=button or known,
            direct_agent=agent,
            created_at=self._clock.now(),
            waits_since=self._clock.now(),
            queue_updates=given.receive_queue_updates,
        )
        self.org.chats[chat.id] = chat
        if agent is None and button is None:
            self.fail(chat, UNAVAILABLE)
            return
        self.note(chat, f"asked for {agent.name if agent else chat.button.name}")
        first = self.assumptions.position_starts_at
        chat.position = first + len([one for one in self.org.waiting_at(chat.button) if one is not chat])
        details = [one for one in chat.init["prechatDetails"] if one["displayToAgent"]]
        more = {"customDetails": details, "visitorId": session.id, "sensitiveDataRules": []}
        limits = {"connectionTimeout": self.assumptions.connection_timeout_ms}
        self._tell(
            session, "ChatRequestSuccess", {**self._queue("queuePosition", chat), **self._where(), **more, **limits}
        )
        self.began_to_wait(chat)

    def _routed(self, target: str) -> tuple[Agent | None, Button | None]:
        """The agent of a target, or its button; ``agentId_buttonId`` falls back."""
        first, _mark, second = target.partition("_")
        agent = self.org.agent(first)
        if agent is not None and (not second or self.org.available(agent)):
            return agent, None
        return None, self.org.button(second or first)

    def estimate(self, button: Button, waited_ms: int = 0) -> int:
        """The seconds to wait: the smoothed average less what has passed, -1 when nobody was accepted yet."""
        if button.average is None:
            return -1
        return max(0, round(button.average - waited_ms / 1000))

    def count(self, button: Button) -> None:
        """Tell everybody who waits his place, where it changed."""
        for place, chat in enumerate(self.org.waiting_at(button), self.assumptions.position_starts_at):
            if chat.position != place:
                self.moves(chat, place)

    def moves(self, chat: Chat, position: int, seconds: int | None = None) -> None:
        """It stands at ``position`` now, with ``seconds`` to wait (else as estimated)."""
        chat.position = position
        if chat.queue_updates:
            more = {} if seconds is None else {"estimatedWaitTime": seconds}
            self._tell(chat.session, "QueueUpdate", {**self._queue("position", chat), **more})

    def _queue(self, field: str, chat: Chat) -> dict[str, Any]:
        position = 0 if self.assumptions.position_always_zero else chat.position
        waited = self._clock.now() - chat.waits_since
        return {field: position, "estimatedWaitTime": self.estimate(chat.button, waited)}

    @staticmethod
    def _where() -> dict[str, Any]:
        page = "https://lumen.example/"
        return {"geoLocation": _PLACE, "url": page, "oref": page, "postChatUrl": f"{page}after"}

    # ----------------------------------------------------------------------------------------- the agents
    def join(self, chat: Chat, agent: Agent) -> None:
        """``agent`` accepts it."""
        self._open(chat)
        if chat.state == "held":
            raise VendorRefusal(409, "Conflict", note=f"{chat.agent.name if chat.agent else 'somebody'} has it")
        waited_s = (self._clock.now() - chat.waits_since) / 1000
        before = chat.button.average
        chat.button.average = waited_s if before is None else _KEEPS * before + _LEARNS * waited_s
        event = "ChatEstablished"
        if chat.transferring:
            event = "ChatTransferred"
        elif chat.established:
            event = self.assumptions.after_disconnect
        chat.state, chat.agent, chat.established, chat.transferring, chat.position = "held", agent, True, False, None
        agent.online = True
        self._introduce(chat, event, agent)
        self.count(chat.button)

    def _introduce(self, chat: Chat, event: str, agent: Agent) -> None:
        seconds = self.assumptions.idle_timeout_s
        idle: dict[str, Any] = {"isEnabled": seconds is not None}
        if seconds is not None:
            idle |= {"warningTime": seconds // 2, "timeout": seconds}
        who = {"name": agent.name, "userId": agent.id, "sneakPeekEnabled": True}
        self._tell(chat.session, event, {**who, "chasitorIdleTimeout": idle})
        self.note(chat, f"{event}: {agent.name}")

    def say(self, chat: Chat, text: str) -> Line:
        """Its agent writes."""
        agent = self.agent_of(chat)
        self._tell(chat.session, "ChatMessage", {"name": agent.name, "text": text, "agentId": agent.id})
        return self._line(chat, "Agent", agent.name, text)

    def types(self, chat: Chat, *, on: bool) -> None:
        """Its agent begins to type, or stops."""
        self.agent_of(chat)
        self._tell(chat.session, inbox.TYPING if on else inbox.NOT_TYPING, {})

    def to_agent(self, chat: Chat, agent: Agent) -> None:
        """``agent`` has it now."""
        before = self.agent_of(chat)
        if before is agent:
            raise VendorRefusal(409, "Conflict", note=f"{agent.name} has it")
        chat.agent = agent
        self._line(chat, "OperatorTransferred", agent.name, "")
        self._introduce(chat, "ChatTransferred", agent)

    def to_button(self, chat: Chat, button: Button) -> None:
        """It waits for the agents of ``button``; the visitor hears of it when one accepts."""
        before = self.agent_of(chat)
        chat.state, chat.agent, chat.button, chat.waits_since = "waiting", None, button, self._clock.now()
        chat.transferring = True
        self._line(chat, "OperatorTransferred", before.name, "")
        self.note(chat, f"transferred to {button.name}")
        self.began_to_wait(chat)

    def disconnect(self, chat: Chat) -> None:
        """Its agent is disconnected; the session goes on, and another agent may take it."""
        agent = self.agent_of(chat)
        chat.state, chat.agent, chat.waits_since = "left", None, self._clock.now()
        self._tell(chat.session, "AgentDisconnect", {})
        self.note(chat, f"{agent.name} was disconnected")

    def decline(self, chat: Chat, agent: Agent) -> None:
        """``agent`` refuses the offer: it goes on waiting, unless it was for him alone."""
        self._open(chat)
        self.note(chat, f"declined by {agent.name}")
        if chat.direct_agent is not None and not chat.established:
            self.fail(chat, UNAVAILABLE)

    def fail(self, chat: Chat, reason: str) -> None:
        """Nobody will come, or (reported) the only agent went offline in the middle."""
        self._over(chat, reason, "ChatRequestFail", {"reason": reason, "postChatUrl": self._where()["postChatUrl"]})

    def end(self, chat: Chat, reason: str) -> None:
        """It is over, for ``reason``: agent, client, clientIdleTimeout, …"""
        self._over(chat, reason, "ChatEnded", {"reason": reason, "attachedRecords": "{}"})

    def _over(self, chat: Chat, reason: str, event: str, message: Mapping[str, Any]) -> None:
        if chat.state == "ended":
            return
        chat.state, chat.reason, chat.agent, chat.typing = "ended", reason, None, False
        self._tell(chat.session, event, message)
        self.note(chat, f"{event}: {reason}")
        self.count(chat.button)

    def ask_for_file(self, chat: Chat, token: str, upload_url: str) -> None:
        """Its agent asks for a file; ``token`` "" takes the question back."""
        self.agent_of(chat)
        known, chat.file_token = chat.file_token, token
        kind = "Requested" if token else "Canceled"
        message = {"type": kind, "fileToken": token or known, "uploadServletUrl": upload_url}
        self._tell(chat.session, "FileTransfer", {**message, "cdmServletUrl": upload_url})

    # ---------------------------------------------------------------------------------------- the visitor
    def visitor_says(self, chat: Chat, text: str, *, batched: bool) -> None:
        """A message, unless it vanishes because it came too soon after the one before."""
        now, before = self._clock.now(), chat.spoke_at
        chat.typing, chat.preview, chat.spoke_at = False, "", now
        if not batched and before is not None and now - before < self.assumptions.vanish_within_ms:
            self.note(chat, "a message vanished")
            return
        self._line(chat, "Chasitor", chat.visitor_name, text)
        self.visitor_spoke(chat)

    def visitor_types(self, chat: Chat, *, on: bool, preview: str = "") -> None:
        """The visitor types, or stopped."""
        chat.typing, chat.preview = on, preview
        chat.typed += on

    def upload(self, chat: Chat, file: Upload) -> None:
        """The file that the agent asked for."""
        chat.files.append(file)
        token, chat.file_token = chat.file_token, ""
        if self.assumptions.transfer_result:
            self._tell(chat.session, "FileTransfer", {"type": self.assumptions.transfer_result, "fileToken": token})

    # ----------------------------------------------------------------------------------------- the session
    def move(self, session: Session) -> None:
        """Another server has the session: 503 until the caller reconnects."""
        session.change_affinity()
        session.moved = True

    def reconnect(self, session: Session, offset: int) -> None:
        """The caller is back: numbers begin again, and its state is told."""
        if session.moved:
            session.moved = False
        else:
            session.change_affinity()
        session.number, session.resyncing = 0, True
        replay = self.assumptions.missed_after_reconnect == "told"
        session.inbox.moved(offset, self.session_data(session), replay=replay)

    def session_data(self, session: Session) -> dict[str, Any]:
        """What a session that has moved is told of itself."""
        chat = self.org.chats.get(session.id)
        lines = [] if chat is None else chat.lines
        transcript = [
            {"type": line.type, "name": line.name, "content": line.text, "timestamp": line.at, "sequence": place}
            for place, line in enumerate(lines, 1)
        ]
        position = None if chat is None else self._queue("queuePosition", chat)["queuePosition"]
        return {"queuePosition": position, **self._where(), "sneakPeekEnabled": True, "chatMessages": transcript}

    # --------------------------------------------------------------------------------------------- inside
    @staticmethod
    def agent_of(chat: Chat) -> Agent:
        """Who has it.  Raises VendorRefusal 409."""
        if chat.agent is None:
            raise VendorRefusal(409, "Conflict", note="no agent has it: accept it first")
        return chat.agent

    @staticmethod
    def _open(chat: Chat) -> None:
        if chat.state == "ended":
            raise VendorRefusal(409, "Conflict", note="the chat is over")

    def _line(self, chat: Chat, kind: str, name: str, text: str) -> Line:
        line = Line(type=kind, name=name, text=text, at=self._clock.now())
        chat.lines.append(line)
        return line

    def note(self, chat: Chat, what: str) -> None:
        """Something for whoever looks at the simulator."""
        chat.activity.append((self._clock.now(), what))


def _target(given: bodies.ChasitorInit) -> str:
    """What is asked for, in the words of ``buttonOverrides``."""
    if not given.agent_id:
        return given.button_id or ""
    return f"{given.agent_id}_{given.button_id or ''}" if given.do_fallback else given.agent_id


def belongs(org: Org, organization_id: str) -> bool:
    """Whether an id is that of the organization."""
    return same(org.id, organization_id)
