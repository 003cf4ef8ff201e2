"""The part of the kit that a real account can be asked for: what our side calls, without anybody playing the agent.

Two cases leave no trace at the vendor.  The others open one conversation there, write into it, and close it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from warmline.app import Node
from warmline.conformance.case import NotApplicable, Topic
from warmline.conformance.content import EMOJI, RTL
from warmline.conformance.kit import Outcome, Report, Result
from warmline.handover.outbound import parts_of
from warmline.handover.payloads import fill_payload, values_of
from warmline.handover.port import (
    AuthorKind,
    Desk,
    EndReason,
    Grade,
    HandoverRequest,
    Listens,
    ListsQueues,
    OutboundMessage,
    Polls,
    QueueRef,
    ReadsBack,
    Thread,
    TranscriptLine,
    VisitorCard,
    VisitorLine,
)
from warmline.kernel.errors import Conflict, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.platform.settings import Settings

_PATIENCE_S = 30.0
_TEXTS = ("This is a check of the connection; please leave it alone.", EMOJI, RTL)


@dataclass
class Account:
    """A desk with the credentials of a stored connection, and the conversation that is opened for the check."""

    desk: Desk
    node: Node
    request: HandoverRequest
    thread: Thread | None = None
    sent: list[OutboundMessage] = field(default_factory=list)

    @property
    def opened(self) -> Thread:
        """The conversation.  Raises NotApplicable when it could not be opened."""
        if self.thread is None:
            raise NotApplicable("the conversation could not be opened")
        return self.thread


Play = Callable[[Account], Awaitable[str]]
"""A case on a real account; what it found out, in a sentence."""


async def _check(account: Account) -> str:
    health = await account.desk.check()
    assert health.ok, health.sentence
    return health.sentence


async def _availability(account: Account) -> str:
    told = await account.desk.availability(QueueRef(ref=None, bot_id=account.request.bot_id))
    return f"It says: {told}."


async def _queues(account: Account) -> str:
    if not isinstance(account.desk, ListsQueues):
        raise NotApplicable("this desk names no queues")
    found = await account.desk.queues()
    return f"{len(found)}: {', '.join(one.name or str(one.ref) for one in found[:10])}"


async def _open(account: Account) -> str:
    desk, request = account.desk, account.request
    if isinstance(desk, Listens):
        prepared = await desk.prepare(request)
        async with asyncio.timeout(_PATIENCE_S), _listening(desk, prepared) as state:
            request = replace(request, prepared=replace(prepared, state=state))
            account.thread = await desk.open(request)
        account.request = request
    else:
        account.thread = await desk.open(request)
    return f"The vendor calls it {account.thread.ref}."


@contextlib.asynccontextmanager
async def _listening(desk: Listens, thread: Thread) -> AsyncIterator[object]:
    """The stream stands; its first state."""
    stream = desk.listen(thread, thread.state)
    try:
        first = await anext(stream)
        yield first.state
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


async def _open_again(account: Account) -> str:
    before = account.opened
    again = await account.desk.open(replace(account.request, repeated=True))
    assert again.ref == before.ref, f"a second conversation was opened: {again.ref} besides {before.ref}"
    return "Asked again, it is the same one."


async def _send(account: Account) -> str:
    thread = account.opened
    for number, text in enumerate(_TEXTS, 1):
        item = OutboundMessage(id=uuid7(), seq=number, text=text, at=account.node.clock.now())
        for part in parts_of(account.desk.manifest, item):
            await account.desk.send(thread, part)
            account.sent.append(part)
    return f"{len(account.sent)} lines were taken."


async def _read_back(account: Account) -> str:
    if not isinstance(account.desk, ReadsBack):
        raise NotApplicable("this desk cannot be read")
    thread, wanted = account.opened, [part.text for part in account.sent]
    since = account.node.clock.now() - 300_000
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        lines = [one for one in await account.desk.history(thread, since) if isinstance(one, VisitorLine)]
        found = [text for text in (one.text for one in lines) if text in wanted]
        if sorted(found) == sorted(wanted):
            return "Every line stands there, once."
        assert time.monotonic() < deadline, f"of {len(wanted)} lines {len(found)} stand there"
        await asyncio.sleep(1.0)


async def _poll(account: Account) -> str:
    if not isinstance(account.desk, Polls):
        raise NotApplicable("this desk is not polled")
    thread = account.opened
    async with asyncio.timeout(_PATIENCE_S * 2):
        polled = await account.desk.poll(thread, thread.state)
    return f"It answered with {len(polled.events)} events."


async def _close(account: Account) -> str:
    thread = account.opened
    await account.desk.close(thread, EndReason.CLOSED)
    await account.desk.close(thread, EndReason.CLOSED)
    return "Closed; told twice, it takes no offence."


_QUIET: Sequence[tuple[str, str, Topic, Grade, Play]] = (
    ("check-is-good", "The test of the connection says that all is well", Topic.OPENING, Grade.BRONZE, _check),
    ("availability-answers", "Availability answers", Topic.OPENING, Grade.BRONZE, _availability),
    ("queues-are-listed", "Queues and topics are listed", Topic.OPENING, Grade.BRONZE, _queues),
)
_TRACES: Sequence[tuple[str, str, Topic, Grade, Play]] = (
    ("opens", "A conversation is opened", Topic.OPENING, Grade.BRONZE, _open),
    ("open-again", "Asked again, no second one is opened", Topic.OPENING, Grade.SILVER, _open_again),
    ("takes-lines", "Lines, emoji and right-to-left text are taken", Topic.TALKING, Grade.BRONZE, _send),
    ("read-back", "What was sent stands there once", Topic.TROUBLE, Grade.SILVER, _read_back),
    ("is-heard", "The vendor can be listened to", Topic.TALKING, Grade.BRONZE, _poll),
    ("closes", "It is closed, and closing again does no harm", Topic.ENDING, Grade.BRONZE, _close),
)


async def check_account(
    settings: Settings,
    desk_key: str,
    connection_id: str,
    *,
    traces: bool,
    told: Callable[[Result], None] = lambda _result: None,
) -> Report:
    """Try the account behind a stored connection of the installation with these settings.

    ``traces`` allows what is seen at the vendor.  Raises NotFound, Conflict, or Unavailable for an embedded store that a
    running server uses.
    """
    # A web process only: nothing of the installation's own work is done from here.
    async with Node(replace(settings, role="web")) as node:
        connection = node.connections.get(connection_id)
        if connection.kind != desk_key:
            raise Conflict(f"This connection is of the kind “{connection.kind}”.", code="other_kind")
        account = Account(node.connections.desk(connection_id), node, await _request(node, connection_id))
        results: list[Result] = []
        for name, title, topic, grade, play in (*_QUIET, *(_TRACES if traces else ())):
            outcome, why, seconds = await _try(play, account)
            results.append(
                Result(
                    name=name,
                    title=title,
                    topic=str(topic),
                    grade=str(grade),
                    outcome=outcome,
                    why=why,
                    seconds=seconds,
                )
            )
            told(results[-1])
        manifest = account.desk.manifest
        return Report(
            desk=desk_key, title=manifest.title, declared=str(manifest.grade), results=tuple(results), account=True
        )


async def _try(play: Play, account: Account) -> tuple[Outcome, str, float]:
    begun = time.monotonic()
    try:
        outcome, why = Outcome.PASSED, await play(account)
    except NotApplicable as reason:
        outcome, why = Outcome.NOT_APPLICABLE, str(reason)
    except AssertionError as wrong:
        outcome, why = Outcome.FAILED, str(wrong)
    except TimeoutError:
        outcome, why = Outcome.FAILED, "it was waited for in vain"
    except WarmlineError as error:
        outcome, why = Outcome.FAILED, error.detail
    return outcome, why, round(time.monotonic() - begun, 2)


async def _request(node: Node, connection_id: str) -> HandoverRequest:
    """A handover of somebody who does not exist, with the payload of the first rung that has one."""
    now, mark = node.clock.now(), uuid7()
    bots = node.connections.get(connection_id).bot_ids
    line = TranscriptLine(seq=1, at=now, author=AuthorKind.VISITOR, name="", text="This is a check of the connection.")
    request = HandoverRequest(
        id=f"check-{mark}.0",
        conversation_id=mark,
        handover_id=f"check-{mark}",
        rung=0,
        owner_epoch=1,
        bot_id=bots[0] if bots else "",
        reason=EndReason.API,
        visitor=VisitorCard(id=mark, name="Warmline check"),
        transcript=(line,),
        cursor=1,
    )
    kind = node.connections.payload_kind(connection_id)
    text = next(
        (
            step.payload
            for widget in await node.widgets.list(limit=200)
            for step in widget.ladder
            if step.connection_id == connection_id and step.payload.strip()
        ),
        "",
    )
    if kind is None or not text:
        return request
    return replace(request, payload=fill_payload(kind, text, values_of(request, {})))
