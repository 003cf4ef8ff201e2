"""Files of a conversation: received and checked, bound by the message that names them, forgotten when nobody may have them.

A file is uploaded first; the message that carries it names its id, and that message's event is what binds it.  The rows
follow the events, so a crash in between leaves at most a file that nobody names, which is swept up after a day.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
import structlog

from warmline.conversations import attachment_store as store
from warmline.conversations import events as e
from warmline.conversations.attachment_store import AttachmentRow
from warmline.conversations.kind import CONVERSATION
from warmline.journal.consumers import TransactionalConsumer
from warmline.journal.journal import Journal
from warmline.kernel.clock import DAY, HOUR, Clock
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, Invalid, NotFound, TooLarge, WarmlineError
from warmline.kernel.ids import uuid7
from warmline.platform import file_types
from warmline.platform.blobs import Blobs, read_whole
from warmline.platform.scanning import Scan, no_scan

log = structlog.get_logger(__name__)

UNBOUND_LIVE_MS = DAY
_BOUND_BEFORE_MS = UNBOUND_LIVE_MS - HOUR
"""A file is not taken into a message in its last hour: it must not be swept up while that message is being stored."""
MOST_WAITING = 20
_WRITE_BYTES = 1 << 20
_SWEEP = 100


@dataclass(frozen=True, kw_only=True)
class FilePolicy:
    """What is accepted.  Types are patterns (``image/*``); ``allowed`` empty means all but the refused ones."""

    max_bytes: int
    allowed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    def check(self, media_type: str) -> None:
        """Raises Invalid for a type that is not accepted."""
        if file_types.covers(self.refused, media_type) or (
            self.allowed and not file_types.covers(self.allowed, media_type)
        ):
            raise Invalid("Files of this kind cannot be sent here.", path="$.file", code="file_type_refused")


class Attachments:
    """The use cases.  ``incoming`` is a folder on the disk of the blobs, where files stand until they are checked."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        blobs: Blobs,
        policy: FilePolicy,
        *,
        incoming: Path,
        scan: Scan = no_scan,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._blobs = blobs
        self._incoming = incoming
        self._scan = scan
        self.policy = policy
        self._sweeping: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Let a sweep that has begun end, and leave the store."""
        if self._sweeping is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        await self._blobs.stop()

    # -- receiving -----------------------------------------------------------------------------------------------

    async def receive(
        self, conversation_id: str, name: str, chunks: AsyncIterator[bytes], *, source: str = ""
    ) -> e.Attachment:
        """Keep a file for a message to come.  The caller has checked that the conversation is open and whose it is.

        Raises TooLarge; Invalid with ``file_empty``, ``file_type_refused`` or ``file_refused``; Conflict
        ``too_many_files``; Unavailable when it cannot be checked or stored.
        """
        # What a desk brings is bound at once, and must not be lost because a visitor uploads too much.
        if not source and await self._waiting(conversation_id) >= MOST_WAITING:
            raise Conflict("Too many files wait to be sent. Send or remove some first.", code="too_many_files")
        attachment_id = uuid7()
        path = self._incoming / attachment_id
        try:
            size, digest, head = await self._spool(path, chunks)
            name = file_types.safe_name(name)
            media_type = file_types.sniff(head, name)
            self.policy.check(media_type)
            await self._scan(path)
            row = AttachmentRow(
                id=attachment_id,
                conversation_id=conversation_id,
                state="storing",
                name=file_types.fitting_name(name, media_type),
                media_type=media_type,
                size=size,
                sha256=digest,
                source=source,
                at=self._clock.now(),
            )
            # The row first: a crash in between leaves a row without a blob, which is swept up, and never the reverse.
            await self._journal.write(lambda conn: store.insert(conn, row))
            await self._blobs.put(attachment_id, path)
            await self._keep(row)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return row.attachment

    async def _keep(self, row: AttachmentRow) -> None:
        """Make a stored file usable, unless its visitor was erased while it arrived: then it goes as well."""
        kept = await self._journal.write(partial(store.move, ids=[row.id], before="storing", after="waiting"))
        state, _seq = await self._journal.snapshot(CONVERSATION, row.conversation_id)
        if kept and not state.erased:
            return
        # The blob first: without its row nobody would ever look for it.
        await self._blobs.delete(row.id)
        await self._journal.write(partial(store.delete, attachment_id=row.id))
        raise Conflict("The conversation is closed.", code="closed")

    async def _waiting(self, conversation_id: str) -> int:
        return await self._journal.read(lambda conn: store.count_waiting(conn, conversation_id))

    async def _spool(self, path: Path, chunks: AsyncIterator[bytes]) -> tuple[int, str, bytes]:
        """Write what arrives, as long as it is not too much; its size, its SHA-256 and its beginning."""
        digest, size, head, buffer = hashlib.sha256(), 0, b"", bytearray()
        file: BinaryIO = await asyncio.to_thread(_create, path)
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > self.policy.max_bytes:
                    raise too_large(self.policy.max_bytes)
                digest.update(chunk)
                buffer += chunk
                if len(buffer) >= _WRITE_BYTES:
                    head = head or bytes(buffer[: file_types.HEAD_BYTES])
                    await asyncio.to_thread(file.write, bytes(buffer))
                    buffer.clear()
            head = head or bytes(buffer[: file_types.HEAD_BYTES])
            await asyncio.to_thread(file.write, bytes(buffer))
        finally:
            await asyncio.to_thread(file.close)
        if not size:
            raise Invalid("The file is empty.", path="$.file", code="file_empty")
        return size, digest.hexdigest(), head

    async def find_by_source(self, conversation_id: str, source: str) -> e.Attachment | None:
        """What the same event of a desk has brought already."""
        row = await self._journal.read(lambda conn: store.find_by_source(conn, conversation_id, source))
        return row.attachment if row else None

    # -- naming and reading --------------------------------------------------------------------------------------

    async def resolve(self, conversation_id: str, ids: Sequence[str]) -> tuple[e.Attachment, ...]:
        """The files that a message names.  Raises Invalid for one that is not there, naming its place.

        Whether another message has one already is decided under the stream's lock, see ``decisions``.
        """
        if not ids:
            return ()
        rows = await self._journal.read(lambda conn: store.list_of(conn, conversation_id, list(ids)))
        oldest = self._clock.now() - _BOUND_BEFORE_MS
        for index, one in enumerate(ids):
            row = rows.get(one)
            if row is None or (row.state == "waiting" and row.at < oldest) or one in ids[:index]:
                raise Invalid(
                    "There is no such file, or not any more.", path=f"$.attachments[{index}]", code="no_such_file"
                )
        return tuple(rows[one].attachment for one in ids)

    async def get(self, attachment_id: str) -> AttachmentRow:
        """What is known of a file.  Raises NotFound."""
        row = await self._journal.read(lambda conn: store.find(conn, attachment_id))
        if row is None:
            raise NotFound("This file is gone.")
        return row

    def pieces(self, attachment_id: str) -> AsyncGenerator[bytes, None]:
        """Its content.  Raises NotFound before the first piece, Unavailable."""
        return self._blobs.pieces(attachment_id)

    async def read(self, attachment_id: str) -> bytes:
        """Its content at once.  Raises NotFound, Unavailable."""
        return await read_whole(self._blobs, attachment_id)

    # -- forgetting ----------------------------------------------------------------------------------------------

    def sweep_soon(self) -> None:
        """Sweep now, unless that is being done."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep_once(), name="attachments-sweep")

    async def sweep(self) -> None:
        """Delete what was erased, and what was uploaded a day ago and never sent.  Safe to repeat and on many nodes."""
        before = self._clock.now() - UNBOUND_LIVE_MS
        await asyncio.to_thread(_remove_older, self._incoming, before)
        for row in await self._journal.read(lambda conn: store.list_unbound(conn, before, _SWEEP)):
            if await self._is_bound(row):
                await self._journal.write(partial(store.move, ids=[row.id], before="waiting", after="bound"))
            else:
                await self._journal.write(partial(store.mark_erased, ids=[row.id]))
        while erased := await self._journal.read(lambda conn: store.list_erased(conn, _SWEEP)):
            for attachment_id in erased:
                await self._blobs.delete(attachment_id)
                await self._journal.write(partial(store.delete, attachment_id=attachment_id))

    async def _is_bound(self, row: AttachmentRow) -> bool:
        # The consumer that says so may be behind; the stream itself is not.
        try:
            state, _seq = await self._journal.snapshot(CONVERSATION, row.conversation_id)
        except NotFound:
            return False
        return row.id in state.files

    async def _sweep_once(self) -> None:
        try:
            await self.sweep()
        except WarmlineError as error:
            log.warning("erased files could not be deleted yet", code=error.code, reason=error.detail)


class AttachmentKeeper(TransactionalConsumer):
    """The consumer ``attachments``: rows follow the messages that name them, and go when their visitor is erased."""

    name = "attachments"
    types = frozenset({e.MessagePosted.TYPE, e.VisitorErased.TYPE})

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    def apply(self, conn: sa.Connection, events: Sequence[Recorded]) -> None:
        """Bind what the messages name, purge what was erased."""
        for event in events:
            body = event.body
            if isinstance(body, e.MessagePosted):
                if body.attachments:
                    store.move(conn, [one.id for one in body.attachments], "waiting", "bound")
            elif event.type == e.VisitorErased.TYPE:
                store.erase_conversation(conn, event.stream_id)

    async def applied(self, events: Sequence[Recorded]) -> None:
        """The blobs of what was erased go at once; what a crash keeps from it, the hourly sweep does."""
        if any(event.type == e.VisitorErased.TYPE for event in events):
            self._attachments.sweep_soon()


def _remove_older(folder: Path, before: int) -> None:
    """What a process left that was killed while a file arrived."""
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime * 1_000 < before:
                path.unlink()


def too_large(limit: int) -> TooLarge:
    """The refusal of a file above the limit."""
    return TooLarge(f"This file is too large. At most {readable_size(limit)} can be sent.", code="file_too_large")


def readable_size(size: int) -> str:
    """``3.4 MB``: what people read under a file."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1_000 or unit == "MB":
            break
        size /= 1_000  # type: ignore[assignment]
    return f"{size:.1f}".removesuffix(".0") + f" {unit}"


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.open("xb")
