"""The transcript by a link that carries its own permission: for a desk that takes a conversation over.

The link names one conversation and an expiry, sealed with the installation's key; whoever has it reads that
transcript until then, and nothing else.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from warmline.conversations.attachment_links import AttachmentLinks
from warmline.conversations.transcript import TranscriptLine, read_transcript
from warmline.handover.outbound import with_links
from warmline.journal.journal import Journal
from warmline.kernel.clock import DAY, Clock, to_rfc3339
from warmline.kernel.errors import NotFound, WarmlineError
from warmline.platform.crypto import Keyring
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import NO_STORE, NOSNIFF, Receive, Scope, Send, send_bytes, send_json
from warmline.web.security import header

PATH = "/transcripts/"
LIFETIME = 7 * DAY
"""A ticket is often read days after the chat; after a week the CRM has its own copy or none."""
_CONTEXT = "transcript link"
_LONGEST = 600


class _Permission(msgspec.Struct, frozen=True, array_like=True):
    conversation: str
    until: int


class LinkedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message; ``size`` in bytes, ``url`` signed like the transcript's own address."""

    name: str
    media_type: str
    size: int
    url: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the transcript; ``at`` is RFC 3339."""

    seq: int
    at: str
    author: str
    name: str
    text: str
    attachments: list[LinkedFile]


class LinkedTranscript(msgspec.Struct, frozen=True, kw_only=True):
    """The whole transcript so far."""

    conversation: str
    messages: list[Message]


class TranscriptLinks:
    """Makes links and answers them."""

    def __init__(
        self, journal: Journal, clock: Clock, keyring: Keyring, files: AttachmentLinks, *, public_url: str
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._keyring = keyring
        self._files = files
        self._base = public_url.rstrip("/")

    def link(self, conversation_id: str) -> str:
        """A link that works for ``LIFETIME``."""
        permission = _Permission(conversation_id, self._clock.now() + LIFETIME)
        sealed = self._keyring.encrypt(msgspec.json.encode(permission), _CONTEXT)
        return f"{self._base}{PATH}{base64.urlsafe_b64encode(sealed.encode()).decode().rstrip('=')}"

    def routes(self) -> list[RawRoute]:
        """The route, for the front."""
        return [RawRoute(path=PATH, method="GET", handler=self.read, prefix=True, operation=_OPERATION)]

    async def read(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The transcript as JSON, or as text where the caller asks for it."""
        conversation = self._opened(scope["path"].removeprefix(PATH))
        lines = await read_transcript(self._journal, conversation)
        if (header(scope, b"accept") or b"").startswith(b"text/"):
            text = "".join(f"[{to_rfc3339(one.at)}] {one.name or one.author}: {self._plain(one)}\n" for one in lines)
            headers = [(b"content-type", b"text/plain; charset=utf-8"), NO_STORE, NOSNIFF]
            await send_bytes(send, 200, text.encode(), headers)
            return
        messages = [
            Message(
                seq=one.seq,
                at=to_rfc3339(one.at),
                author=one.author,
                name=one.name,
                text=one.text,
                attachments=[
                    LinkedFile(
                        name=file.name,
                        media_type=file.media_type,
                        size=file.size,
                        url=self._files.lasting(file, one.at),
                    )
                    for file in one.attachments
                ],
            )
            for one in lines
        ]
        await send_json(send, LinkedTranscript(conversation=conversation, messages=messages))

    def _plain(self, one: TranscriptLine) -> str:
        return with_links(one.text, [(file.name, self._files.lasting(file, one.at)) for file in one.attachments])

    def _opened(self, token: str) -> str:
        """The conversation a token opens.  Raises NotFound, never saying why."""
        gone = NotFound("This link does not work, or not any more.")
        if not 0 < len(token) <= _LONGEST:
            raise gone
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
            permission = msgspec.json.decode(self._keyring.decrypt(sealed, _CONTEXT), type=_Permission)
        except (binascii.Error, UnicodeDecodeError, ValueError, WarmlineError, msgspec.MsgspecError):
            raise gone from None
        if permission.until < self._clock.now():
            raise gone
        return permission.conversation


_OPERATION = Operation(
    id="readLinkedTranscript",
    summary="Read a transcript by its link",
    description="The link is part of the rich profile's context. It works for seven days; text/plain is served on request.",
    tags=("Custom CRM",),
    path="/transcripts/{token}",
    parameters=(Parameter(name="token", where="path", description="From the link.", required=True),),
    responses={200: LinkedTranscript},
    problems=(404,),
)
