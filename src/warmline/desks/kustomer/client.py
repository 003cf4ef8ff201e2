"""Calls of the Kustomer API (developer.kustomer.com, read 2026-11).  Vendor words only.

Documented: the routes, the envelope with its pages, and the fields that are sent.  Inferred, because the pages that were read
do not show it: the fields of a listed session and of a listed message, and that a file is described at the address that it names
itself (documented is only the one below its message).
"""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from yarl import URL

from warmline.desks.shared.json_api import JsonApi
from warmline.desks.shared.multipart import Part
from warmline.handover.port import AuthRejected, Refused
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

DESK = "kustomer"
TITLE = "Kustomer"
CHANNEL = "chat"
_ENRICH_TIMEOUT_S = 5.0
_PAGE = 100
_MOST_PAGES = 10

T = TypeVar("T")


class Ref(msgspec.Struct, frozen=True):
    """A resource of which only the id matters."""

    id: str


class UserAttributes(msgspec.Struct, frozen=True, rename="camel"):
    """Who a user is."""

    display_name: str | None = None
    name: str | None = None
    avatar_url: str | None = None


class User(msgspec.Struct, frozen=True):
    """An agent."""

    id: str
    attributes: UserAttributes = UserAttributes()


class QueueAttributes(msgspec.Struct, frozen=True):
    """What a queue is called."""

    name: str | None = None


class Queue(msgspec.Struct, frozen=True):
    """A queue of the routing."""

    id: str
    attributes: QueueAttributes = QueueAttributes()


class Session(msgspec.Struct, frozen=True):
    """A chat session; its id is the conversation's.  ``attributes`` hold the external id somewhere among them."""

    id: str
    attributes: dict[str, Any] = {}


class MessageAttributes(msgspec.Struct, frozen=True, rename="camel"):
    """What a listed message says, and in which direction (in, out)."""

    direction: str | None = None
    body: str | None = None
    preview: str | None = None
    sent_at: str | None = None
    created_at: str | None = None


class ToOne(msgspec.Struct, frozen=True):
    """A relationship to one resource."""

    data: Ref | None = None


class ToMany(msgspec.Struct, frozen=True):
    """A relationship to several."""

    data: tuple[Ref, ...] | None = None


class MessageRelationships(msgspec.Struct, frozen=True):
    """What belongs to a message."""

    attachments: ToMany | None = None


class Message(msgspec.Struct, frozen=True):
    """A message of a session."""

    id: str
    attributes: MessageAttributes = MessageAttributes()
    relationships: MessageRelationships | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The ids of its files."""
        files = self.relationships.attachments if self.relationships else None
        return tuple(one.id for one in files.data or ()) if files else ()


class AttachmentAttributes(msgspec.Struct, frozen=True, rename="camel"):
    """What a file is; ``content_length`` is in bytes."""

    name: str | None = None
    content_type: str | None = None
    content_length: int | None = None


class AttachmentLinks(msgspec.Struct, frozen=True):
    """``related`` is where the bytes are; missing where they are not to be shown."""

    related: str | None = None


class Attachment(msgspec.Struct, frozen=True):
    """A file."""

    id: str
    attributes: AttachmentAttributes = AttachmentAttributes()
    links: AttachmentLinks = AttachmentLinks()


class _Form(msgspec.Struct, frozen=True):
    url: str
    fields: dict[str, str] = {}


class _Upload(msgspec.Struct, frozen=True):
    upload: _Form


class ConversationRelationships(msgspec.Struct, frozen=True):
    """Whom a conversation belongs to."""

    customer: ToOne = ToOne()


class Conversation(msgspec.Struct, frozen=True):
    """A conversation."""

    id: str
    relationships: ConversationRelationships = ConversationRelationships()


class _Links(msgspec.Struct, frozen=True):
    next: str | None = None


class KustomerClient:
    """One organisation.  Every method raises a DeskError."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, api_url: str, key: str) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._url = api_url
        self._api = self._calls(api_url, {"Authorization": f"Bearer {key}"})

    def _calls(self, base: str, headers: dict[str, str]) -> JsonApi:
        return JsonApi(self._outgoing, self._clock, desk=DESK, title=TITLE, base=base, headers=headers)

    async def find_customer(self, field: str, value: str) -> Ref | None:
        """The customer with an ``email`` or an ``externalId``."""
        try:
            return await self._api.ask("open", "GET", f"/v1/customers/{field}={quote(value, safe='')}", Ref)
        except Refused as error:
            if error.vendor_status == 404:
                return None
            raise

    async def create_customer(self, body: dict[str, Any]) -> Ref:
        """A new customer."""
        return await self._api.ask("open", "POST", "/v1/customers", Ref, body=body)

    async def handoff(self, body: dict[str, Any]) -> Session:
        """A new session with what was said so far (2 to 100 messages, at least one in each direction)."""
        return await self._api.ask("open", "POST", "/v2.1/chat/handoff", Session, body=body)

    async def active_sessions(self, customer_id: str) -> list[Session]:
        """A customer's open sessions, the latest first."""
        query = {"customerId": customer_id, "active": "true"}
        return await self._list("open", "/v2.1/chat/sessions", Session, query=query, most_pages=1)

    async def add_message(self, body: dict[str, Any]) -> Ref:
        """A message of the customer."""
        return await self._api.ask("send", "POST", "/v2.1/chat/messages", Ref, body=body)

    async def messages(self, session: str, *, operation: str) -> list[Message]:
        """Everything said in a session."""
        return await self._list(operation, f"/v2.1/chat/sessions/{quote(session, safe='')}/messages", Message)

    async def upload(self, name: str, media_type: str, content: bytes) -> str:
        """Bring a file; the id by which a message names it.  Refused for one that is not taken."""
        described = {"name": name, "contentType": media_type, "contentLength": len(content)}
        reply = await self._api.tell("send", "POST", "/v1/attachments", body=described)
        made: Ref = self._api.read(reply, "data", Ref, "send")
        form: _Form = self._api.read(reply, "meta", _Upload, "send").upload
        fields = [Part(field, value.encode()) for field, value in form.fields.items()]
        try:
            # Another company's store, which is shown no key of ours: the form's fields are the permission.
            await self._calls(form.url, {}).send_form("send", "", [*fields, Part("file", content, media_type, name)])
        except AuthRejected as error:
            raise Refused(
                "The file store did not accept Kustomer's form.",
                desk=DESK,
                operation="send",
                vendor_status=error.vendor_status,
                vendor_body=error.vendor_body,
            ) from error
        return made.id

    async def attachment(self, path: str, *, operation: str) -> Attachment:
        """A file's description."""
        return await self._api.ask(operation, "GET", path, Attachment, timeout_s=_ENRICH_TIMEOUT_S)

    def is_ours(self, url: str) -> bool:
        """Whether an address is the API's own, so that the key may be shown to it."""
        try:
            return URL(url).origin() == URL(self._url).origin()
        except ValueError:
            return False

    async def download(self, url: str, *, max_bytes: int) -> bytes:
        """The bytes of a file.  Only the API's own host is shown the key."""
        calls = self._api if self.is_ours(url) else self._calls("", {})
        return await calls.download("fetch_file", url, max_bytes=max_bytes)

    async def conversation(self, conversation: str) -> Conversation:
        """A conversation."""
        return await self._api.ask("send", "GET", f"/v1/conversations/{quote(conversation, safe='')}", Conversation)

    async def update_conversation(self, conversation: str, changes: dict[str, Any], *, operation: str) -> None:
        """Change a conversation."""
        await self._api.tell(operation, "PATCH", f"/v1/conversations/{quote(conversation, safe='')}", body=changes)

    async def add_tags(self, conversation: str, names: tuple[str, ...]) -> None:
        """Tag a conversation; tags that do not exist are made."""
        path = f"/v1/conversations/{quote(conversation, safe='')}/tags"
        await self._api.tell("open", "POST", path, body=list(names))

    async def add_note(self, conversation: str, text: str, *, external_id: str, operation: str) -> None:
        """An internal note; one with the same external id that is there already is left as it is."""
        path = f"/v1/conversations/{quote(conversation, safe='')}/notes"
        try:
            await self._api.tell(operation, "POST", path, body={"body": text, "externalId": external_id})
        except Refused as error:
            if error.vendor_status != 409:
                raise

    async def queues(self, *, operation: str) -> list[Queue]:
        """Every queue."""
        return await self._list(operation, "/v1/routing/queues", Queue)

    async def user(self, user_id: str, *, operation: str) -> User:
        """A user."""
        return await self._api.ask(
            operation, "GET", f"/v1/users/{quote(user_id, safe='')}", User, timeout_s=_ENRICH_TIMEOUT_S
        )

    async def _list(
        self,
        operation: str,
        path: str,
        type_: type[T],
        *,
        query: dict[str, str] | None = None,
        most_pages: int = _MOST_PAGES,
    ) -> list[T]:
        found: list[T] = []
        for page in range(1, most_pages + 1):
            asked = {**(query or {}), "page": str(page), "pageSize": str(_PAGE)}
            reply = await self._api.tell(operation, "GET", path, query=asked)
            entries = self._api.read(reply, "data", list[type_], operation)  # type: ignore[valid-type]
            found += entries
            if not entries or self._api.read(reply, "links", _Links | None, operation, default=None) in (
                None,
                _Links(),
            ):
                break
        return found


def attachment_path(attachment: str, message: str = "") -> str:
    """Where the API describes a file: below its message, or by itself."""
    below = f"/messages/{quote(message, safe='')}" if message else ""
    return f"/v1{below}/attachments/{quote(attachment, safe='')}"
