"""Freshchat v2, as its documentation and the integrations that work with it describe it: REST API, agents, one signed webhook.

``assumptions.py`` lists what is open, ``api.py`` what is not there.  Nothing tells a visitor's or an agent's typing, a place in a
queue, or that nobody is there: Freshchat has no such thing.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.agent import ScriptedAgent, newest_waiting
from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.deliveries import Delivery, Endpoint
from warmline.simulators.freshchat import answers, signing
from warmline.simulators.freshchat.api import DOWNLOAD, Api, said
from warmline.simulators.freshchat.assumptions import Assumptions
from warmline.simulators.freshchat.board import FreshchatBoard
from warmline.simulators.freshchat.office import Actor, Office
from warmline.simulators.freshchat.people import People
from warmline.simulators.freshchat.state import Account, Channel, Conversation, Upload, User, fixed_id
from warmline.simulators.script import Rate, Script

RETRY_HEADER = "X-Retry-Count"
VERSION_HEADER = "X-Freshchat-Payload-Version"
_SENTENCES = {"CONVERSATION_PAYLOAD_NOT_VALID": "Conversation payload not valid"}


class FreshchatSimulator(People):
    """``webhook_url`` is the account's one webhook.  ``key`` signs; without one, all simulators of a process share a new pair.

    ``unsigned`` leaves the signature away.
    """

    name: ClassVar[str] = "freshchat"
    title: ClassVar[str] = "Freshchat"
    vendor_rate: ClassVar[Rate | None] = None
    """Numbers are not documented."""
    not_found: ClassVar[str] = "NOT_FOUND"

    def __init__(
        self,
        *,
        script: Script | None = None,
        assumptions: Assumptions | None = None,
        webhook_url: str = "",
        token: str = "",
        key: RSAPrivateKey | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(script=script, clock=clock)
        self.assumptions = assumptions or Assumptions()
        self.account = Account(self.clock.now())
        self.token = token or f"simulated.{fixed_id('token').replace('-', '')}"
        self.webhook_url = webhook_url
        self.unsigned = False
        self._key = key or signing.process_key()
        self._office = Office(self.account, self.clock, self.assumptions, self._emit)
        self._office.began_to_wait = self._began_to_wait
        self._office.started = self._started
        self._office.visitor_spoke = lambda one: self._scripted.visitor_spoke(one.id)
        self._scripted = ScriptedAgent(self, self.script.steps)
        self._api = Api(self._office, self.clock)

    # ---------------------------------------------------------------------------------------- inspection
    @property
    def conversations(self) -> list[Conversation]:
        """All of them, oldest first."""
        return list(self.account.conversations.values())

    @property
    def users(self) -> list[User]:
        """Who asked."""
        return list(self.account.users.values())

    @property
    def channels(self) -> list[Channel]:
        """The topics: Lamps, Bills, and Old shop, which is off."""
        return self.account.channels

    @property
    def uploads(self) -> Mapping[str, Upload]:
        """What was uploaded, by ``file_hash``."""
        return self.account.uploads

    @property
    def public_key(self) -> str:
        """As the settings page shows it."""
        return signing.shown(self._key)

    @property
    def public_key_line(self) -> str:
        """The same on one line, as it often arrives."""
        return signing.shown(self._key, one_line=True)

    def rotate_key(self) -> None:
        """Sign with another pair from now on."""
        self._key = signing.new_key()

    async def waiting(self, *, timeout_s: float = 5.0) -> Conversation:
        """The newest conversation that waits for an agent, as soon as there is one."""
        return await newest_waiting(self.changes, lambda: self.conversations, timeout_s)

    async def deliver_again(self, delivery: Delivery) -> None:
        """Repeat an old delivery, signed anew, with the next retry count."""
        await self.webhooks.again(delivery, self._endpoint(delivery.url, attempts=len(delivery.attempts)))

    # --------------------------------------------------------------------------------- Freshchat's answers
    def routes(self) -> Sequence[Route]:
        """The API below ``/v2``, and uploaded files."""
        self._api.origin = lambda: self.url
        return self._api.routes()

    def board(self) -> FreshchatBoard:
        """The agent page's view of this."""
        return FreshchatBoard(self)

    def credential(self, ask: Ask) -> str:
        """``Bearer`` and the token."""
        if ask.call.operation == DOWNLOAD:
            return "anyone"
        word, _space, given = ask.headers.get("Authorization", "").partition(" ")
        if word != "Bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
            note = "no token" if not given else "another token, or not after the word Bearer"
            raise VendorRefusal(401, "UNAUTHENTICATED", note=note)
        return given

    def refusal(self, status: int, message: str) -> web.Response:
        """``{code, status, message}``; ``message`` is the word in ``status``.  The words but one are assumed."""
        sentence = _SENTENCES.get(message, message.replace("_", " ").capitalize())
        return said({"code": status, "status": message, "message": sentence}, status)

    def too_many(self, wait_s: float) -> web.Response:
        """429."""
        del wait_s  # no header that would say it is documented
        answer = self.refusal(429, "TOO_MANY_REQUESTS")
        if self.assumptions.retry_after_s is not None:
            answer.headers["Retry-After"] = str(self.assumptions.retry_after_s)
        return answer

    def failing(self) -> web.Response:
        """500."""
        return self.refusal(500, "INTERNAL_SERVER_ERROR")

    # ---------------------------------------------------------------------------------------- what follows
    def _began_to_wait(self, conversation: Conversation) -> None:
        if self._scripted.wants(conversation.id):
            self.soon(self._scripted.play(conversation.id))

    def _started(self, conversation: Conversation) -> None:
        if self.assumptions.rule_assigns_group and not conversation.group_id:
            self.soon(self._route(conversation))

    async def _route(self, conversation: Conversation) -> None:
        await asyncio.sleep(self.waits.routing_ms / 1000)
        channel = self.account.channel(conversation.channel_id)
        if channel is not None and conversation.waiting and not conversation.group_id:
            self._office.assign(conversation, None, self.account.group(channel.group_id), by=("system", ""))

    def _emit(self, action: str, by: Actor, data: Mapping[str, Any]) -> None:
        self.changes.tell()  # also where nobody listens
        own = action == "message_create" and data["message"]["message_source"] == "api"
        if own and not self.webhooks.switches.echo:
            return
        if self.webhooks.switches.unknown_events:
            self._post("conversation_summarised", ("system", ""), {})
        self._post(action, by, data)

    def _post(self, action: str, by: Actor, data: Mapping[str, Any]) -> None:
        if self.webhook_url:
            body = msgspec.json.encode(answers.envelope(action, by, self.clock.now(), data))
            self.webhooks.send(self._endpoint(self.webhook_url), event_id=uuid7(), name=action, body=body)

    def _endpoint(self, url: str, *, attempts: int = 0) -> Endpoint:
        """Where one delivery goes; every attempt counts."""
        counted = itertools.count(attempts)

        def sign(body: bytes, _at: int) -> Mapping[str, str]:
            headers = {RETRY_HEADER: str(next(counted)), VERSION_HEADER: "1.0"}
            if not self.unsigned:
                wrong = self.webhooks.switches.wrong_signature
                headers[signing.SIGNATURE_HEADER] = signing.signature(signing.wrong_key() if wrong else self._key, body)
            return headers

        return Endpoint(url, sign)
