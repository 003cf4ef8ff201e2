"""A message as one desk can carry it: with its files or with links to them, and in parts that are not too long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from warmline.conversations import events as e
from warmline.handover.port import File, Manifest, OutboundMessage, Unreachable
from warmline.handover.text_parts import split_text
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Unavailable

_OWN_TROUBLE = 500


@dataclass(frozen=True, slots=True)
class FilesOut:
    """``link`` (file, moment of its message) is an address for another company's system; ``read`` gives a file's bytes.

    The same message gives the same link for a day, so that a text with links is recognised when it is read back.
    """

    link: Callable[[e.Attachment, int], str]
    read: Callable[[str], Awaitable[bytes]]


def message_of(event: Recorded, body: e.MessagePosted, files: FilesOut) -> OutboundMessage:
    """The line for the agent, with everything that belongs to it."""
    return OutboundMessage(
        id=body.message_id,
        seq=event.seq,
        text=body.text,
        at=event.at,
        attachments=tuple(
            File(
                name=one.name,
                media_type=one.media_type,
                size=one.size,
                url=files.link(one, event.at),
                read=partial(_read, files, one.id),
            )
            for one in body.attachments
        ),
    )


async def _read(files: FilesOut, file_id: str) -> bytes:
    try:
        return await files.read(file_id)
    except Unavailable as error:
        # Tried again like any trouble of a desk; the status keeps it from being taken for the desk's being away.
        raise Unreachable(error.detail, operation="send", vendor_status=_OWN_TROUBLE) from error


def parts_of(manifest: Manifest, item: OutboundMessage) -> tuple[OutboundMessage, ...]:
    """What is sent for ``item``, in order: mostly itself.  The same item gives the same parts, so they can be resumed.

    Ids are ``id``, ``id.2``, ``id.3`` …; files go with the last part.
    """
    text, files = item.text, item.attachments
    if files and not manifest.capabilities.attachments:
        text, files = with_links(text, [(one.name, one.url) for one in files]), ()
    texts = split_text(text, manifest.text_limit)
    return tuple(
        replace(
            item,
            id=item.id if number == 1 else f"{item.id}.{number}",
            text=one,
            attachments=files if number == len(texts) else (),
        )
        for number, one in enumerate(texts, 1)
    )


def with_links(text: str, links: Sequence[tuple[str, str]]) -> str:
    """The text, then a line ``name: address`` for each file."""
    return "\n".join([*([text] if text else []), *(f"{name}: {url}" for name, url in links)])


def line_of(body: e.MessagePosted, at: int, files: FilesOut) -> str:
    """A message as a line of a transcript."""
    return with_links(body.text, [(one.name, files.link(one, at)) for one in body.attachments])
