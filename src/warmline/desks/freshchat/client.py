"""Calls of the Freshchat API v2 (developers.freshchat.com, read 2026-11).  Vendor words only.

Documented: methods, paths, the form of errors.  The bodies of starting and of sending are those on which three public
integrations agree; what an upload answers is reported in several forms, of which each is taken.
"""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from warmline.desks.shared.answers import moment
from warmline.desks.shared.json_api import JsonApi
from warmline.desks.shared.multipart import Part as FormPart
from warmline.handover.port import Refused
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

DESK, TITLE = "freshchat", "Freshchat"
RESOLVED = "resolved"
FAILED = "Failed"
_VERSION = "/v2"
_PAGE = 50
_MOST_PAGES = 4

T = TypeVar("T")


class Text(msgspec.Struct, frozen=True):
    """Plain text."""

    content: str = ""


class Media(msgspec.Struct, frozen=True):
    """A file; ``url`` may come later than the message."""

    url: str | None = None
    name: str | None = None
    content_type: str | None = None
    file_size_in_bytes: Any = None


class UrlButton(msgspec.Struct, frozen=True):
    """A link that looks like a button."""

    url: str | None = None
    label: str | None = None


class Part(msgspec.Struct, frozen=True):
    """One part of a message; one of an unknown kind is empty."""

    text: Text | None = None
    image: Media | None = None
    file: Media | None = None
    video: Media | None = None
    url_button: UrlButton | None = None


class Message(msgspec.Struct, frozen=True):
    """A message, in answers and in webhooks.  ``message_type`` is missing in some documented samples."""

    id: str = ""
    conversation_id: str = ""
    interaction_id: str = ""
    actor_type: str = ""
    actor_id: str = ""
    message_type: str | None = None
    message_parts: tuple[Part, ...] = ()
    reply_parts: Any = None
    created_time: str = ""
    bots_private_note: bool = msgspec.field(name="botsPrivateNote", default=False)
    status: str | None = None
    error_message: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """A conversation.  Newer accounts give it a number as well; ``status`` is an open list."""

    conversation_id: str = ""
    freshchat_conversation_id: int | str | None = None
    status: str = ""
    messages: tuple[Message, ...] = ()


class User(msgspec.Struct, frozen=True):
    """Somebody who asks."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


class Avatar(msgspec.Struct, frozen=True):
    """A picture of somebody."""

    url: str | None = None


class Agent(msgspec.Struct, frozen=True):
    """Somebody who answers."""

    first_name: str | None = None
    last_name: str | None = None
    avatar: Avatar | None = None


class Target(msgspec.Struct, frozen=True):
    """A topic or a group; groups are never disabled."""

    id: str
    name: str = ""
    enabled: bool = True


class Uploaded(msgspec.Struct, frozen=True):
    """What an upload answers, in every form that was reported."""

    url: str | None = None
    file_hash: str | None = None
    file_hash_camel: str | None = msgspec.field(name="fileHash", default=None)
    file_id: str | None = None


class _Pages(msgspec.Struct, frozen=True):
    total_pages: int = 1


class _Ref(msgspec.Struct, frozen=True):
    id: str


class Ids(msgspec.Struct, frozen=True):
    """A conversation's GUID and, where the account has them, its number."""

    ref: str
    number: str | None = None


class FreshchatClient:
    """One account.  Every method raises a DeskError."""

    def __init__(self, outgoing: Outgoing, clock: Clock, *, api_url: str, token: str) -> None:
        base = api_url.rstrip("/").removesuffix(_VERSION) + _VERSION
        self._api = JsonApi(
            outgoing, clock, desk=DESK, title=TITLE, base=base, headers={"Authorization": f"Bearer {token}"}
        )

    async def try_token(self) -> None:
        """Read the account's configuration, which changes nothing."""
        await self._api.tell("check", "GET", "/accounts/configuration")

    async def topics(self, *, operation: str) -> list[Target]:
        """Every topic."""
        return await self._list(operation, "/channels", "channels")

    async def groups(self, *, operation: str) -> list[Target]:
        """Every group."""
        return await self._list(operation, "/groups", "groups")

    async def _list(self, operation: str, path: str, name: str) -> list[Target]:
        found: list[Target] = []
        for page in range(1, _MOST_PAGES + 1):
            query = {"page": str(page), "items_per_page": str(_PAGE)}
            reply = await self._api.tell(operation, "GET", path, query=query)
            found += self._api.read(reply, name, list[Target], operation)
            pages: _Pages = self._api.read(reply, "pagination", _Pages, operation, default={})
            if page >= pages.total_pages:
                break
        return found

    # -- people --------------------------------------------------------------------------------------------------

    async def find_user(self, reference_id: str) -> User | None:
        """The user whom we know by that id."""
        try:
            reply = await self._api.tell("open", "GET", "/users", query={"reference_id": reference_id})
        except Refused as error:
            if error.vendor_status == 404:
                return None
            raise
        found: list[User] = self._api.read(reply, "users", list[User], "open", default=[])
        return found[0] if found else None

    async def create_user(self, body: dict[str, Any]) -> User:
        """A new user."""
        return await self._one("open", "POST", "/users", User, body)

    async def update_user(self, user_id: str, body: dict[str, Any]) -> None:
        """Change what is named."""
        await self._api.tell("open", "PUT", f"/users/{quote(user_id, safe='')}", body=body)

    async def conversations_of(self, user_id: str) -> list[str]:
        """The ids of a user's conversations."""
        reply = await self._api.tell("open", "GET", f"/users/{quote(user_id, safe='')}/conversations")
        refs: list[_Ref] = self._api.read(reply, "conversations", list[_Ref], "open", default=[])
        return [one.id for one in refs]

    async def agent(self, agent_id: str) -> Agent:
        """An agent."""
        return await self._one("enrich", "GET", f"/agents/{quote(agent_id, safe='')}", Agent, timeout_s=5.0)

    # -- conversations -------------------------------------------------------------------------------------------

    async def start(self, body: dict[str, Any]) -> Conversation:
        """A new conversation, or the user's earlier one in the topic, gone on."""
        return await self._one("open", "POST", "/conversations", Conversation, body)

    async def conversation(self, ids: Ids, *, operation: str) -> Conversation:
        """A conversation."""
        return await self._one(operation, "GET", await self._readable(ids, operation), Conversation)

    async def change(self, ids: Ids, body: dict[str, Any], *, operation: str) -> None:
        """Change status or assignment."""
        await self._api.tell(operation, "PUT", _path(ids.ref), body=body)

    async def send(self, ids: Ids, body: dict[str, Any]) -> Message:
        """A message.  Raises Refused also for one that was taken and marked as failed."""
        sent = await self._one("send", "POST", f"{_path(ids.ref)}/messages", Message, body)
        if sent.status == FAILED:
            detail = f"Freshchat did not deliver this: {sent.error_message or 'it does not say why'}."
            raise Refused(detail, desk=DESK, operation="send")
        return sent

    async def messages(self, ids: Ids, since: int, *, operation: str) -> list[Message]:
        """What was said since a moment in milliseconds, in no particular order."""
        path = f"{await self._readable(ids, operation)}/messages"
        found: list[Message] = []
        for page in range(1, _MOST_PAGES + 1):
            query = {"from_time": moment(since), "page": str(page), "items_per_page": str(_PAGE)}
            reply = await self._api.tell(operation, "GET", path, query=query)
            lines: list[Message] = self._api.read(reply, "messages", list[Message], operation)
            found += lines
            if len(lines) < _PAGE:
                break
        return found

    async def _readable(self, ids: Ids, operation: str) -> str:
        """The path by which a conversation can be read: some accounts take only the number there (reported)."""
        if ids.number is None:
            return _path(ids.ref)
        try:
            await self._api.tell(operation, "GET", _path(ids.ref))
        except Refused as error:
            if error.vendor_status != 404:
                raise
            return _path(ids.number)
        return _path(ids.ref)

    # -- files ---------------------------------------------------------------------------------------------------

    async def upload(self, name: str, media_type: str, body: bytes) -> Uploaded:
        """Bring a file; pictures have a path of their own."""
        kind = "image" if media_type.startswith("image/") else "file"
        part = FormPart(kind, body, media_type, name)
        reply = await self._api.send_form("send", f"/{kind}s/upload", [part])
        found: Uploaded = self._api.read_whole(reply, Uploaded, "send")
        return found

    async def _one(
        self,
        operation: str,
        method: str,
        path: str,
        type_: type[T],
        body: Any = None,
        *,
        timeout_s: float = 10.0,
    ) -> T:
        reply = await self._api.tell(operation, method, path, body=body, timeout_s=timeout_s)
        found: T = self._api.read_whole(reply, type_, operation)
        return found


def _path(conversation: str) -> str:
    return f"/conversations/{quote(conversation, safe='')}"
