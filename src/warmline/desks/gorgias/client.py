"""Calls of the Gorgias API (developers.gorgias.com, read 2026-11).  Vendor words only.

An API key may call 40 times in 20 seconds, for a whole account and everybody who uses it: calls are few here.
"""

from __future__ import annotations

import base64
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from warmline.desks.shared.json_api import JsonApi
from warmline.desks.shared.multipart import Part
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

DESK = "gorgias"
TITLE = "Gorgias"
_PAGE = "100"

T = TypeVar("T")


class Customer(msgspec.Struct, frozen=True):
    """Somebody who asks."""

    id: int


class Team(msgspec.Struct, frozen=True):
    """Agents who answer for the same things."""

    id: int
    name: str = ""


class Ticket(msgspec.Struct, frozen=True):
    """A ticket.  ``external_id`` is what whoever made it called it."""

    id: int
    external_id: str | None = None
    customer: Customer | None = None


class File(msgspec.Struct, frozen=True):
    """An attachment; of an upload it goes back as it came."""

    url: str = ""
    name: str | None = None
    size: int | None = None
    content_type: str | None = None


class Person(msgspec.Struct, frozen=True):
    """Who sent a message."""

    name: str | None = None


class Message(msgspec.Struct, frozen=True):
    """A message of a ticket.  ``stripped_…`` is the body without signature and quotes."""

    id: int
    from_agent: bool = False
    public: bool = True
    channel: str = ""
    via: str = ""
    external_id: str | None = None
    body_text: str | None = None
    body_html: str | None = None
    stripped_text: str | None = None
    stripped_html: str | None = None
    sender: Person | None = None
    attachments: tuple[File, ...] | None = None
    created_datetime: str | None = None


class Http(msgspec.Struct, frozen=True):
    """Where an HTTP integration calls, and when."""

    url: str = ""
    triggers: dict[str, bool] | None = None


class Integration(msgspec.Struct, frozen=True):
    """An integration; ``http`` is there for HTTP ones."""

    id: int
    deactivated_datetime: str | None = None
    http: Http | None = None


class GorgiasClient:
    """One account.  Every method raises a DeskError."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, api_url: str, email: str, key: str) -> None:
        self._origin = _origin(api_url)
        credentials = base64.b64encode(f"{email}:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        self._api = JsonApi(outgoing, clock, desk=DESK, title=TITLE, base=f"{api_url.rstrip('/')}/api", headers=headers)

    def is_ours(self, url: str) -> bool:
        """Whether an address is the account's own, so that the credentials may be shown to it."""
        return _origin(url) == self._origin

    async def find_customers(self, email: str) -> list[Customer]:
        """Those with an e-mail address."""
        return await self._list("open", "/customers", Customer, email=email)

    async def create_customer(self, body: dict[str, Any]) -> Customer:
        """A new one."""
        return await self._one("open", "POST", "/customers", Customer, body)

    async def tickets_of(self, customer: int) -> list[Ticket]:
        """A customer's newest tickets."""
        return await self._list("open", "/tickets", Ticket, customer_id=str(customer), order_by="created_datetime:desc")

    async def create_ticket(self, body: dict[str, Any]) -> Ticket:
        """A new one with its messages."""
        return await self._one("open", "POST", "/tickets", Ticket, body)

    async def ticket(self, ticket: str) -> Ticket:
        """One of them."""
        return await self._one("send", "GET", f"/tickets/{ticket}", Ticket)

    async def update_ticket(self, ticket: str, body: dict[str, Any]) -> None:
        """Change some fields."""
        await self._api.tell("close", "PUT", f"/tickets/{ticket}", body=body)

    async def add_message(self, ticket: str, body: dict[str, Any], *, operation: str) -> Message:
        """A message that was sent already."""
        return await self._one(operation, "POST", f"/tickets/{ticket}/messages", Message, body)

    async def message(self, ticket: str, message: str) -> Message:
        """One message."""
        return await self._one("enrich", "GET", f"/tickets/{ticket}/messages/{message}", Message)

    async def newest_messages(self, ticket: str) -> list[Message]:
        """A ticket's messages, the newest first."""
        return await self._list("send", "/messages", Message, ticket_id=ticket, order_by="created_datetime:desc")

    async def upload(self, name: str, media_type: str, body: bytes) -> File:
        """Bring a file; it is attached by what is answered."""
        reply = await self._api.send_form(
            "send", "/upload", [Part("file", body, media_type, name)], query={"type": "attachment"}
        )
        found: list[File] = self._api.read_whole(reply, list[File], "send")
        return found[0] if found else File()

    async def download(self, url: str, *, max_bytes: int) -> bytes:
        """The bytes of a file that lies at the account's own address."""
        path = url.removeprefix(self._origin)
        return await self._api.download("fetch_file", f"{self._origin}{path}", max_bytes=max_bytes)

    async def teams(self, *, operation: str) -> list[Team]:
        """Every team."""
        return await self._list(operation, "/teams", Team)

    async def integrations(self) -> list[Integration]:
        """What the account is connected with."""
        return await self._list("check", "/integrations", Integration)

    async def _list(self, operation: str, path: str, type_: type[T], **query: str) -> list[T]:
        query["limit"] = _PAGE
        return await self._api.ask(operation, "GET", path, list[type_], query=query)  # type: ignore[valid-type]

    async def _one(self, operation: str, method: str, path: str, type_: type[T], body: Any = None) -> T:
        reply = await self._api.tell(operation, method, path, body=body)
        found: T = self._api.read_whole(reply, type_, operation)
        return found


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
