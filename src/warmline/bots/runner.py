"""Runs bots: a consumer that answers what visitors say, as long as the bot owns the conversation."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from warmline.bots.engine import (
    MAX_TEXT,
    CloseConversation,
    Engine,
    HandoverOver,
    OfferContact,
    RequestHandover,
    Run,
    Said,
    Started,
    Trigger,
    Turn,
)
from warmline.bots.service import Bot
from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.events import Button
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.conversations.service import LadderFor
from warmline.journal.consumers import ReactingConsumer
from warmline.journal.journal import Journal
from warmline.journal.kinds import IdempotencyKey
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, NotFound, Unavailable
from warmline.kernel.ids import uuid7

_log = structlog.get_logger("warmline.bots")
_AT_ONCE = 32
# The key alone makes a repeated turn harmless; a turn made again draws other message ids, so the body says nothing.
_SAME_BODY = hashlib.sha256(b"turn").hexdigest()


class Brains(Protocol):
    """Where a bot and its engine are found: ``Bots`` in the program, scripted ones in tests."""

    async def brain(self, bot_id: str) -> tuple[Bot, Engine]:
        """The bot and its engine.  Raises NotFound."""


class BotRunner(ReactingConsumer):
    """The consumer ``bots``: one turn per event that asks for one.

    Conversations run beside each other, the events of one strictly in order.  A turn is appended under the epoch of
    the event it answers: whatever has changed the owner meanwhile makes the store refuse it, which is counted in
    ``refused`` and otherwise ignored.  Whatever an engine raises, and an engine that takes longer than
    ``turn_within`` seconds, hands the conversation to a person, visibly.
    """

    name = "bots"
    types = frozenset(
        {
            e.MessagePosted.TYPE,
            e.ConversationStarted.TYPE,
            e.HandoverFailed.TYPE,
            e.HandoverCancelled.TYPE,
            e.HandoverEnded.TYPE,
        }
    )

    def __init__(self, journal: Journal, bots: Brains, ladder_for: LadderFor, *, turn_within: float = 2.0) -> None:
        self._journal = journal
        self._bots = bots
        self._ladder_for = ladder_for
        self._turn_within = turn_within
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.refused: Counter[str] = Counter()

    async def handle(self, events: Sequence[Recorded]) -> None:
        """Answer ``events``.  Raises when the store could not be reached: the batch then comes again."""
        lines: dict[str, list[Recorded]] = {}
        for event in events:
            if event.stream_kind == CONVERSATION and _may_ask(event):
                lines.setdefault(event.stream_id, []).append(event)
        results = await asyncio.gather(*(self._answer_all(each) for each in lines.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _answer_all(self, events: Sequence[Recorded]) -> None:
        async with self._places:
            for event in events:
                await self._answer(event)

    async def _answer(self, event: Recorded) -> None:
        try:
            # Whatever another node has added since: if it matters, the store refuses the turn's epoch.
            state, _seq = await self._journal.snapshot(CONVERSATION, event.stream_id, at_least=event.seq)
        except NotFound:
            return
        if state.owner != "bot" or state.owner_epoch != event.owner_epoch:
            return
        command: c.Command
        try:
            command = await self._turn(event, state)
        except Unavailable:
            raise
        except Exception as failed:  # noqa: BLE001 - a broken bot must never leave a visitor without an answer
            _log.exception("bot_failed", conversation=event.stream_id, bot=state.bot_id, seq=event.seq)
            command = c.BotFails(epoch=event.owner_epoch, error=type(failed).__name__, handover_id=uuid7())
        await self._append(event, command, state.bot_id)

    async def _append(self, event: Recorded, command: c.Command, bot_id: str) -> None:
        key = IdempotencyKey(scope=f"bot:{event.stream_id}", key=str(event.seq), body_hash=_SAME_BODY)
        try:
            await self._journal.append(CONVERSATION, event.stream_id, command, actor=f"bot:{bot_id}", key=key)
        except Conflict as refused:
            self.refused[refused.code] += 1
            _log.info("bot_turn_refused", conversation=event.stream_id, seq=event.seq, code=refused.code)

    async def _turn(self, event: Recorded, state: ConversationState) -> c.BotTurn:
        bot, engine = await self._bots.brain(state.bot_id)
        trigger = _trigger(event, state.language)
        # In a thread of its own: an engine that takes long holds up neither the other conversations nor the server.
        turn = await asyncio.wait_for(
            asyncio.to_thread(_take_turn, engine, state.run, trigger), timeout=self._turn_within
        )
        wish = None
        for effect in turn.effects:
            if isinstance(effect, RequestHandover):
                ladder = await self._ladder_for(state.widget_id, state.bot_id)
                wish = c.HandoverWish(handover_id=uuid7(), reason=effect.reason, ladder=ladder)
        return c.BotTurn(
            epoch=event.owner_epoch,
            answers=event.seq,
            lines=_lines(turn),
            run=turn.run,
            name=bot.name,
            handover=wish,
            close=any(isinstance(effect, CloseConversation) for effect in turn.effects),
        )


def _may_ask(event: Recorded) -> bool:
    body = event.body
    if isinstance(body, e.MessagePosted):
        return body.author == "visitor"
    return isinstance(body, e.ConversationStarted | e.HandoverFailed | e.HandoverCancelled | e.HandoverEnded)


def _trigger(event: Recorded, language: str) -> Trigger:
    body = event.body
    match body:
        case e.ConversationStarted():
            return Started(language=language, page=body.page)
        case e.MessagePosted():
            return Said(text=body.text[:MAX_TEXT], language=language)
        case e.HandoverFailed():
            return HandoverOver(outcome="failed", reason=body.reason, language=language)
        case e.HandoverCancelled():
            return HandoverOver(outcome="cancelled", reason=body.by, language=language)
        case e.HandoverEnded():
            return HandoverOver(outcome="ended", reason=body.reason, language=language)
        case _:
            raise TypeError(f"{event.type} asks for no turn")


def _take_turn(engine: Engine, run: Run, trigger: Trigger) -> Turn:
    return engine.turn(dict(run), trigger)


def _lines(turn: Turn) -> tuple[c.Line, ...]:
    """The turn's messages; an offer to leave an address becomes the last one's first quick reply."""
    lines = [c.Line(message_id=uuid7(), text=say.text, buttons=say.buttons) for say in turn.says]
    for effect in turn.effects:
        if isinstance(effect, OfferContact) and lines:
            last = lines[-1]
            buttons = (Button(text=effect.text), *last.buttons)
            lines[-1] = c.Line(message_id=last.message_id, text=last.text, buttons=buttons)
    return tuple(lines)
