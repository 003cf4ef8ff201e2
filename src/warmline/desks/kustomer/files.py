"""Files both ways: the visitor's are uploaded and named in a message, the agent's are looked up by their ids.

Documented: the upload, that a chat message has either words or files, and the description of a message's file.  Assumed: that
chat messages name files as the messages of a conversation do, and that a listed chat message names its own.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import structlog

from warmline.desks.kustomer.client import DESK, KustomerClient, Message, attachment_path
from warmline.desks.shared.known import remember
from warmline.handover.port import AgentReplied, AuthRejected, DeskError, File, OutboundMessage, Refused, VendorFile
from warmline.kernel.clock import from_rfc3339

log = structlog.get_logger(__name__)

_CLOCKS_DIFFER_MS = 2_000


class KustomerFiles:
    """The files of one organisation.  ``arrived`` tells which item of ours each of Kustomer's chat messages is."""

    def __init__(self, client: KustomerClient, arrived: dict[str, str]) -> None:
        self._client = client
        self._arrived = arrived

    async def bring(self, item: OutboundMessage, whose: dict[str, str]) -> tuple[str, str]:
        """Bring the files of an item, in a message of their own.

        Gives Kustomer's id of the item's last message and "", or "" and the words that are still to be said (with links to
        files that were refused).  Files go first: who finds the words in the session knows that the files are there too.
        An earlier try may have been cut off anywhere, and no message has an id of ours: files that are there already are
        known by their sizes, words by themselves.
        """
        lines = [
            line for line in await self._client.messages(whose["session"], operation="send") if self._new(line, item)
        ]
        before = await self._brought_before(item, lines)
        vendor_id, refused = before or await self._post(item, whose)
        text = "\n".join([*([item.text] if item.text else []), *(f"{file.name}: {file.url}" for file in refused)])
        said = next((line.id for line in lines if text and not line.files and line.attributes.body == text), "")
        if vendor_id:
            remember(self._arrived, vendor_id, f"{item.id}/files" if text else item.id)
        if said:
            remember(self._arrived, said, item.id)
        return (said, "") if said else ("", text) if text else (vendor_id, "")

    async def described(self, event: AgentReplied) -> AgentReplied:
        """The event with its files' names, sizes and addresses, as far as Kustomer tells them now."""
        return dataclasses.replace(event, files=tuple(await asyncio.gather(*map(self._described, event.files))))

    async def fetch(self, file: VendorFile, *, max_bytes: int) -> bytes:
        """A file that needs the key, or whose address is still to be asked for."""
        url: str | None = file.url
        if file.url.startswith("/"):
            url = (await self._client.attachment(file.url, operation="fetch_file")).links.related
        if not url:
            raise Refused("Kustomer does not say where this file is.", desk=DESK, operation="fetch_file")
        return await self._client.download(url, max_bytes=max_bytes)

    # -- inside --------------------------------------------------------------------------------------------------

    def _new(self, line: Message, item: OutboundMessage) -> bool:
        """Whether a line may be what an unanswered try for this item has left."""
        if line.attributes.direction != "in" or line.id in self._arrived:
            return False
        return said_at(line) >= item.at - _CLOCKS_DIFFER_MS

    async def _brought_before(self, item: OutboundMessage, lines: Sequence[Message]) -> tuple[str, list[File]] | None:
        """The message that has this item's files, and those it lacks."""
        for line in lines:
            lacking = list(item.attachments)
            sizes = [await self._size(one) for one in line.files]
            for size in sizes:
                if same := next((file for file in lacking if file.size == size), None):
                    lacking.remove(same)
            if sizes and len(lacking) + len(sizes) == len(item.attachments):
                return line.id, lacking
        return None

    async def _size(self, attachment: str) -> int | None:
        try:
            found = await self._client.attachment(attachment_path(attachment), operation="send")
        except (Refused, AuthRejected) as error:
            # A key that may send but not look at files still has to send.
            log.warning("kustomer.file_not_described", code=error.code, status=error.vendor_status)
            return None
        return found.attributes.content_length

    async def _post(self, item: OutboundMessage, whose: dict[str, str]) -> tuple[str, list[File]]:
        """The id of a message with the files, "" when none was taken, and those that were refused."""
        named, refused = [], []
        for file in item.attachments:
            content = await file.read()
            try:
                made = await self._client.upload(file.name, file.media_type, content)
            except Refused as error:
                log.warning("kustomer.file_refused", status=error.vendor_status)
                refused.append(file)
                continue
            about = {"name": file.name, "contentType": file.media_type, "contentLength": len(content)}
            named.append({"_id": made, **about})
        if not named:
            return "", refused
        try:
            return (await self._client.add_message({**whose, "attachments": named})).id, refused
        except Refused as error:
            log.warning("kustomer.files_refused", status=error.vendor_status)
            return "", list(item.attachments)

    async def _described(self, file: VendorFile) -> VendorFile:
        try:
            found = await self._client.attachment(file.url, operation="enrich")
        except DeskError as error:
            # It is asked for once more when the file is fetched.
            log.warning("kustomer.file_not_described", code=error.code, status=error.vendor_status)
            return file
        about, url = found.attributes, found.links.related or file.url
        return VendorFile(
            url=url,
            name=about.name or file.name,
            media_type=about.content_type or "",
            size=about.content_length,
            private=url == file.url or self._client.is_ours(url),
        )


def said_at(line: Message) -> int:
    """When a line was said, in milliseconds; without a moment it may be the line that is looked for."""
    try:
        return from_rfc3339(line.attributes.sent_at or line.attributes.created_at or "")
    except ValueError:
        return 2**53
