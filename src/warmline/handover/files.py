"""Agents' files: fetched from their vendor and kept here, because a vendor's link may need a key, expire, or tell too much.

A message is never lost because of its file, and never waits long for it: what cannot be fetched becomes a line of text.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote, urljoin, urlsplit

import sqlalchemy as sa
import structlog

from warmline.conversations.attachments import Attachments
from warmline.conversations.binding import room_for
from warmline.conversations.events import Attachment
from warmline.conversations.kind import CONVERSATION
from warmline.handover import thread_store as store
from warmline.handover.port import AgentReplied, Desk, FetchesFiles, Thread, VendorFile
from warmline.handover.thread_states import ThreadStates, thread_of
from warmline.journal.journal import Journal
from warmline.kernel.errors import Invalid, NotFound, TooLarge, Unavailable, WarmlineError
from warmline.platform.http import Outgoing

log = structlog.get_logger()

WITHIN_S = 8.0
"""All files of one message together: what follows it in its thread waits as long."""
_TRIES = 2
_PAUSE_S = 0.5
_REDIRECTS = 3
_MOVED = frozenset({301, 302, 303, 307, 308})


class DeskFiles:
    """Fetches what agents send."""

    def __init__(
        self,
        journal: Journal,
        attachments: Attachments,
        outgoing: Outgoing,
        desk: Callable[[str], Desk],
        states: ThreadStates,
    ) -> None:
        self._journal = journal
        self._attachments = attachments
        self._outgoing = outgoing
        self._desk = desk
        self._states = states

    async def bring(
        self, connection_id: str, conversation_id: str, event: AgentReplied, key: str | None
    ) -> tuple[tuple[Attachment, ...], str]:
        """The files of ``event`` as ours, and its text with a line for each file that could not be had.

        ``key`` identifies the event: what it brought once is not fetched again.
        """
        state, _seq = await self._journal.snapshot(CONVERSATION, conversation_id)
        tasks = [
            asyncio.create_task(self._one(connection_id, conversation_id, event, place, key))
            for place in range(min(len(event.files), room_for(state)))
        ]
        late: set[asyncio.Task[Attachment | str]] = set()
        if tasks:
            _done, late = await asyncio.wait(tasks, timeout=WITHIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        found = [
            _line(file) if place >= len(tasks) or tasks[place] in late else tasks[place].result()
            for place, file in enumerate(event.files)
        ]
        lines = [one for one in found if isinstance(one, str)]
        text = "\n".join([*([event.text] if event.text else []), *lines])
        return tuple(one for one in found if isinstance(one, Attachment)), text

    async def _one(
        self, connection_id: str, conversation_id: str, event: AgentReplied, place: int, key: str | None
    ) -> Attachment | str:
        """The file, or the line that stands for it."""
        file = event.files[place]
        source = "" if key is None else hashlib.sha256(f"{connection_id}\0{key}\0{place}".encode()).hexdigest()
        for attempt in range(_TRIES):
            try:
                if source and (known := await self._attachments.find_by_source(conversation_id, source)):
                    return known
                content = await self._fetch(connection_id, conversation_id, file)
                return await self._attachments.receive(conversation_id, _name(file), _once(content), source=source)
            except WarmlineError as error:
                log.info(
                    "handover.file_not_fetched",
                    conversation=conversation_id,
                    connection=connection_id,
                    code=error.code,
                    reason=error.detail,
                )
                if isinstance(error, Invalid):
                    return _without(file)  # refused here: then it is not recommended either
                if isinstance(error, TooLarge | NotFound):
                    break
            if attempt + 1 < _TRIES:
                await asyncio.sleep(_PAUSE_S)
        return _line(file)

    async def _fetch(self, connection_id: str, conversation_id: str, file: VendorFile) -> bytes:
        limit = self._attachments.policy.max_bytes
        if not file.private:
            return await self._download(file.url, limit)
        desk = self._desk(connection_id)
        if not isinstance(desk, FetchesFiles):
            raise NotFound("This desk's files cannot be fetched.")
        thread = await self._journal.read(lambda conn: self._thread(conn, connection_id, conversation_id))
        return await desk.fetch_file(thread, file, max_bytes=limit)

    def _thread(self, conn: sa.Connection, connection_id: str, conversation_id: str) -> Thread:
        row = store.find_thread(conn, conversation_id, connection_id)
        if row is None:
            raise NotFound("There is no such thread.")
        return thread_of(row, self._states.unseal(row.id, row.state))

    async def _download(self, url: str, limit: int) -> bytes:
        for _hop in range(_REDIRECTS + 1):
            # Every hop goes through the guard: a public link must not lead into the own network.
            reply = await self._outgoing.request("GET", url, timeout_s=WITHIN_S, max_bytes=limit)
            if reply.status not in _MOVED:
                break
            url = urljoin(url, reply.headers.get("Location", ""))
        if reply.ok:
            return reply.body
        if reply.status in {404, 410}:
            raise NotFound(f"The vendor's link answered {reply.status}.")
        raise Unavailable(f"The vendor's link answered {reply.status}.")


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _name(file: VendorFile) -> str:
    """What the vendor calls it, else the end of its address."""
    return file.name or unquote(urlsplit(file.url).path.rpartition("/")[2]) or "file"


def _line(file: VendorFile) -> str:
    """What stands in the text for a file that we do not have."""
    # A private link would show the visitor a sign-in page, and its address is the vendor's business.
    if file.private or urlsplit(file.url).scheme not in {"http", "https"}:
        return _without(file)
    return f"{_plain(file)}: {file.url}"


def _without(file: VendorFile) -> str:
    return f"{_plain(file)} (not available)"


def _plain(file: VendorFile) -> str:
    return " ".join(_name(file).split())[:200]
