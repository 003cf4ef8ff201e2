"""Calls of the Sunshine Conversations API v2 (the vendor's OpenAPI document 17.12.1).  Vendor words only."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from yarl import URL

from warmline.desks.shared.json_api import JsonApi
from warmline.desks.shared.multipart import Part
from warmline.handover.port import Refused
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing

DESK = "sunco"
FETCH_TIMEOUT_S = 30.0
_MOST_PAGES = 10


class SwitchboardIntegration(msgspec.Struct, frozen=True, rename="camel"):
    """A place in the switchboard."""

    id: str = ""
    name: str = ""
    integration_type: str = ""


class Switchboard(msgspec.Struct, frozen=True):
    """An app has one."""

    id: str
    enabled: bool = True


class Author(msgspec.Struct, frozen=True, rename="camel"):
    """``type``: user or business; ``subtypes``: AI, activity, agent, bot."""

    type: str = ""
    display_name: str | None = None
    avatar_url: str | None = None
    subtypes: tuple[str, ...] = ()


class Content(msgspec.Struct, frozen=True, rename="camel"):
    """What a message says.  ``media_size`` is in bytes."""

    type: str = "text"
    text: str | None = None
    html_text: str | None = None
    markdown_text: str | None = None
    text_fallback: str | None = None
    media_url: str | None = None
    media_type: str | None = None
    media_size: float | None = None
    alt_text: str | None = None


class Message(msgspec.Struct, frozen=True):
    """A message, listed or in a webhook."""

    id: str = ""
    received: str = ""
    author: Author = Author()
    content: Content = Content()
    metadata: Mapping[str, Any] | None = None
    activity: Mapping[str, Any] | None = None


class Conversation(msgspec.Struct, frozen=True, rename="camel"):
    """A conversation, and who has control of it."""

    id: str
    metadata: Mapping[str, Any] | None = None
    active_switchboard_integration: SwitchboardIntegration | None = None


class _Attachment(msgspec.Struct, frozen=True, rename="camel"):
    media_url: str


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    has_more: bool = False
    after_cursor: str | None = None
    before_cursor: str | None = None


class SuncoClient:
    """One app.  Every method raises a DeskError."""

    def __init__(
        self, outgoing: Outgoing, clock: Clock, *, api_url: str, app_id: str, key_id: str, key_secret: str
    ) -> None:
        self._base = f"{api_url.rstrip('/')}/v2/apps/{quote(app_id, safe='')}"
        credentials = base64.b64encode(f"{key_id}:{key_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"}
        self._api = JsonApi(outgoing, clock, desk=DESK, title="Zendesk", base=self._base, headers=headers)

    # -- looking --------------------------------------------------------------------------------------------------

    async def switchboard_integrations(self) -> list[SwitchboardIntegration]:
        """Everything in the app's switchboard; AuthRejected (403) for an integration's own key."""
        reply = await self._api.tell("check", "GET", "/switchboards")
        found: list[Switchboard] = self._api.read(reply, "switchboards", list[Switchboard], "check")
        if not found:
            return []
        path = f"/switchboards/{quote(found[0].id, safe='')}/switchboardIntegrations"
        listed = await self._api.tell("check", "GET", path)
        places: list[SwitchboardIntegration] = self._api.read(
            listed, "switchboardIntegrations", list[SwitchboardIntegration], "check"
        )
        return places

    async def try_key(self) -> None:
        """Look for a user who does not exist: returns when the key is good for the app."""
        try:
            await self._api.tell("check", "GET", "/users/warmline-nobody")
        except Refused as error:
            if error.vendor_status != 404 or "user_not_found" not in error.vendor_body:
                raise

    async def conversations_of(self, external_id: str) -> list[Conversation]:
        """A user's conversations, whatever their order (it is not documented); none for an unknown user."""
        found: list[Conversation] = []
        query = {"filter[userExternalId]": external_id}
        for _page in range(_MOST_PAGES):
            reply = await self._api.tell("open", "GET", "/conversations", query=query)
            found += self._api.read(reply, "conversations", list[Conversation], "open")
            meta: _Meta = self._api.read(reply, "meta", _Meta, "open", default={})
            if not meta.has_more or not meta.after_cursor:
                break
            query["page[after]"] = meta.after_cursor
        return found

    async def pages(self, conversation: str, *, operation: str) -> AsyncIterator[list[Message]]:
        """Its messages in pages of a hundred, the newest page first; the order inside a page is not documented."""
        query: dict[str, str] = {}
        for _page in range(_MOST_PAGES):
            reply = await self._api.tell(operation, "GET", f"{_of(conversation)}/messages", query=query)
            page: list[Message] = self._api.read(reply, "messages", list[Message], operation)
            yield page
            meta: _Meta = self._api.read(reply, "meta", _Meta, operation, default={})
            if not meta.has_more or not meta.before_cursor:
                return
            query["page[before]"] = meta.before_cursor

    # -- doing ----------------------------------------------------------------------------------------------------

    async def create_user(self, external_id: str, profile: Mapping[str, str]) -> None:
        """A user; one who is there already gets the profile."""
        try:
            await self._api.tell("open", "POST", "/users", body={"externalId": external_id, "profile": profile})
        except Refused as error:
            if error.vendor_status != 409:
                raise
            if profile:
                path = f"/users/{quote(external_id, safe='')}"
                await self._api.tell("open", "PATCH", path, body={"profile": profile})

    async def create_conversation(self, external_id: str, metadata: Mapping[str, Any]) -> Conversation:
        """A personal conversation of a user."""
        body = {
            "type": "personal",
            "participants": [{"userExternalId": external_id, "subscribeSDKClient": False}],
            "metadata": metadata,
        }
        reply = await self._api.tell("open", "POST", "/conversations", body=body)
        made: Conversation = self._api.read(reply, "conversation", Conversation, "open")
        return made

    async def post(self, conversation: str, body: Mapping[str, Any], *, operation: str) -> str:
        """A message; its id."""
        reply = await self._api.tell(operation, "POST", f"{_of(conversation)}/messages", body=body)
        made: list[Message] = self._api.read(reply, "messages", list[Message], operation)
        return made[0].id if made else ""

    async def control(
        self, verb: str, conversation: str, to: str, metadata: Mapping[str, Any], *, operation: str = "open"
    ) -> None:
        """``passControl``, ``offerControl``, ``acceptControl`` or ``releaseControl``; ``to`` is "" for the last two."""
        body = {"metadata": metadata} | ({"switchboardIntegration": to} if to else {})
        await self._api.tell(operation, "POST", f"{_of(conversation)}/{verb}", body=body)

    # -- files ----------------------------------------------------------------------------------------------------

    async def upload(self, conversation: str, name: str, media_type: str, content: bytes) -> str:
        """The address of an uploaded file, for a message."""
        query = {"access": "public", "for": "message", "conversationId": conversation}
        reply = await self._api.send_form(
            "send", "/attachments", [Part("source", content, media_type, name)], query=query
        )
        made: _Attachment = self._api.read(reply, "attachment", _Attachment, "send")
        return made.media_url

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        """A file that is given to holders of the key only.  Refused elsewhere than at the API's own host."""
        if not is_of(url, self._base):
            raise Refused("The file is not at the account's own address.", desk=DESK, operation="fetch_file")
        return await self._api.download("fetch_file", url, max_bytes=max_bytes, timeout_s=FETCH_TIMEOUT_S)


def is_of(url: str, api_url: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    try:
        return URL(url).origin() == URL(api_url).origin()
    except ValueError:
        return False


def _of(conversation: str) -> str:
    return f"/conversations/{quote(conversation, safe='')}"
