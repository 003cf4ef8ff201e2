"""The operations below ``/v2``.  Methods and paths as documented; ``assumptions.py`` says what is not.

Not there: CSAT, metrics, business hours, roles, outbound messages, fields of conversations, agents' statuses, and the deletion of
users.  Limits are not documented, so there are none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.kernel.ids import uuid7
from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.forms import parts
from warmline.simulators.freshchat import answers, bodies
from warmline.simulators.freshchat.office import Office
from warmline.simulators.freshchat.state import Upload, User

DOWNLOAD = "files.download"
_PAGE = 10
_ONE = "/v2/conversations/{conversation_id}"


def said(value: object, status: int = 200) -> web.Response:
    """An answer."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


class Api:
    """Users, topics, groups, agents, conversations, files.  ``origin`` tells where the vendor itself is found."""

    def __init__(self, office: Office, clock: Clock) -> None:
        self.origin: Callable[[], str] = lambda: ""
        self._office = office
        self._account = office.account
        self._assumed = office.assumptions
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """All of it."""
        return (
            Route("GET", "/v2/accounts/configuration", "account", self.configuration),
            Route("GET", "/v2/channels", "channels.list", self.channels),
            Route("GET", "/v2/groups", "groups.list", self.groups),
            Route("GET", "/v2/agents", "agents.list", self.agents),
            Route("GET", "/v2/agents/{agent_id}", "agents.get", self.agent),
            Route("GET", "/v2/users", "users.find", self.find_users),
            Route("POST", "/v2/users", "users.make", self.make_user),
            Route("GET", "/v2/users/{user_id}", "users.get", self.user),
            Route("PUT", "/v2/users/{user_id}", "users.change", self.change_user),
            Route("GET", "/v2/users/{user_id}/conversations", "users.conversations", self.users_conversations),
            Route("POST", "/v2/conversations", "conversations.start", self.start),
            Route("GET", _ONE, "conversations.get", self.conversation),
            Route("PUT", _ONE, "conversations.change", self.change),
            Route("GET", f"{_ONE}/messages", "messages.list", self.messages),
            Route("POST", f"{_ONE}/messages", "messages.send", self.send),
            Route("POST", "/v2/files/upload", "files.upload", self.upload_file),
            Route("POST", "/v2/images/upload", "images.upload", self.upload_image),
            Route("GET", "/files/{file_id}/{name}", DOWNLOAD, self.download),
        )

    # --------------------------------------------------------------------------------------- the account
    async def configuration(self, _ask: Ask) -> web.Response:
        """What the account is; the fields other than ``organisation_id`` are assumed."""
        return said({"organisation_id": 4_711, "app_id": self._account.app_id, "account_domain": "lumen"})

    async def channels(self, ask: Ask) -> web.Response:
        """The topics."""
        return self._page(ask, "channels", [answers.channel(one) for one in self._account.channels])

    async def groups(self, ask: Ask) -> web.Response:
        """The groups."""
        return self._page(ask, "groups", [answers.group(one) for one in self._account.groups])

    async def agents(self, ask: Ask) -> web.Response:
        """The agents."""
        return self._page(ask, "agents", [answers.agent(one) for one in self._account.agents])

    async def agent(self, ask: Ask) -> web.Response:
        """One agent."""
        return said(answers.agent(self._office.agent(ask.path["agent_id"])))

    # --------------------------------------------------------------------------------------------- users
    async def find_users(self, ask: Ask) -> web.Response:
        """Those who fit; one of the three must be asked for (assumed)."""
        wanted = {name: ask.query[name] for name in ("reference_id", "email", "phone") if name in ask.query}
        if not wanted:
            raise VendorRefusal(400, bodies.INVALID, note="reference_id, email or phone")
        found = [one for one in self._account.users.values() if _fits(one, wanted)]
        return self._page(ask, "users", [answers.user(one) for one in found])

    async def make_user(self, ask: Ask) -> web.Response:
        """A user."""
        given = bodies.read(ask.body, bodies.UserFields)
        if self._assumed.reference_id_once and any(
            one.reference_id == given.reference_id for one in self._account.users.values() if given.reference_id
        ):
            raise VendorRefusal(409, "USER_ALREADY_EXISTS", note=f"reference_id {given.reference_id}")
        now = self._clock.now()
        user = User(id=uuid7(), created_at=now, updated_at=now)
        self._fill(user, given)
        self._account.users[user.id] = user
        return said(answers.user(user), self._assumed.made_status)

    async def user(self, ask: Ask) -> web.Response:
        """One user."""
        return said(answers.user(self._office.user(ask.path["user_id"])))

    async def change_user(self, ask: Ask) -> web.Response:
        """What is given replaces what was; properties as a whole (reported)."""
        user = self._office.user(ask.path["user_id"])
        self._fill(user, bodies.read(ask.body, bodies.UserFields))
        return said(answers.user(user))

    def _fill(self, user: User, given: bodies.UserFields) -> None:
        for name in ("first_name", "last_name", "email", "phone", "reference_id"):
            if (value := getattr(given, name)) is not None:
                setattr(user, name, value)
        if given.avatar is not None:
            user.avatar_url = given.avatar.url or ""
        if given.properties is not None:
            user.properties = {one.name: one.value for one in given.properties}
        user.updated_at = self._clock.now()

    async def users_conversations(self, ask: Ask) -> web.Response:
        """His conversations, by id."""
        user = self._office.user(ask.path["user_id"])
        mine = [{"id": one.id} for one in self._account.conversations.values() if one.user_id == user.id]
        return said({"conversations": mine})

    # ------------------------------------------------------------------------------------- conversations
    async def start(self, ask: Ask) -> web.Response:
        """A conversation with its first messages."""
        one = self._office.start(bodies.read(ask.body, bodies.NewConversation, word=bodies.NOT_VALID))
        answer = answers.conversation(one, self._account, self._assumed)
        answer["messages"] = [self._message(one.id, message.id) for message in one.messages]
        answer["users"] = [{"id": one.user_id}]
        return said(answer, self._assumed.made_status)

    async def conversation(self, ask: Ask) -> web.Response:
        """One conversation."""
        one = self._office.conversation(ask.path["conversation_id"], reading=True)
        return said(answers.conversation(one, self._account, self._assumed))

    async def change(self, ask: Ask) -> web.Response:
        """Status and who has it."""
        one = self._office.conversation(ask.path["conversation_id"])
        self._office.change(one, bodies.read(ask.body, bodies.ChangedConversation, word=bodies.NOT_VALID))
        return said(answers.conversation(one, self._account, self._assumed))

    async def messages(self, ask: Ask) -> web.Response:
        """The messages, a page at a time; ``link`` leads to the next one (its form is assumed)."""
        one = self._office.conversation(ask.path["conversation_id"], reading=True)
        since = bodies.moment(ask.query["from_time"]) if "from_time" in ask.query else 0
        rows = [self._message(one.id, each.id) for each in one.messages if each.created_at >= since]
        if self._assumed.newest_first:
            rows.reverse()
        page, size, shown = _slice(ask, rows)
        answer: dict[str, Any] = {"messages": shown}
        if page * size < len(rows):
            answer["link"] = {"rel": "next_page", "href": f"{ask.call.path}?page={page + 1}&items_per_page={size}"}
        return said(answer)

    async def send(self, ask: Ask) -> web.Response:
        """A message."""
        one = self._office.conversation(ask.path["conversation_id"])
        message = self._office.send(one, bodies.read(ask.body, bodies.NewMessage))
        return said(self._message(one.id, message.id), self._assumed.made_status)

    def _message(self, conversation_id: str, message_id: str) -> dict[str, Any]:
        one = self._account.conversations[conversation_id]
        found = next(each for each in one.messages if each.id == message_id)
        return answers.message(found, one, self._account, self._assumed, self._clock.now())

    # --------------------------------------------------------------------------------------------- files
    async def upload_file(self, ask: Ask) -> web.Response:
        """Any file."""
        one = self._keep(ask, ("file",))
        return said(answers.upload(one, self._address(one), self._assumed))

    async def upload_image(self, ask: Ask) -> web.Response:
        """A picture; it can be shown by its address."""
        one = self._keep(ask, ("image", "file"))
        if not one.content_type.startswith("image/"):
            raise VendorRefusal(400, bodies.INVALID, note=f"{one.content_type} is no picture")
        return said({"url": self._address(one), "content_type": one.content_type})

    def _keep(self, ask: Ask, names: Sequence[str]) -> Upload:
        """The file of the form.  That it stands under ``file`` is reported, ``image`` for a picture is assumed."""
        given = next((part for part in parts(ask) if part.filename and part.field in names), None)
        if given is None:
            raise VendorRefusal(400, bodies.INVALID, note=f"multipart/form-data with a file under {' or '.join(names)}")
        # The name is part of an address later.
        name = given.filename.replace("/", "_").replace("\\", "_")
        one = Upload(id=uuid7(), name=name, content_type=given.media_type, body=given.content)
        self._account.uploads[one.id] = one
        return one

    def _address(self, one: Upload) -> str:
        return f"{self.origin()}/files/{one.id}/{one.name}"

    async def download(self, ask: Ask) -> web.Response:
        """The bytes; who knows the address needs nothing else (assumed)."""
        one = self._account.uploads.get(ask.path["file_id"])
        if one is None:
            raise VendorRefusal(404, "FILE_NOT_FOUND")
        return web.Response(body=one.body, content_type=one.content_type)

    # --------------------------------------------------------------------------------------------- pages
    def _page(self, ask: Ask, name: str, rows: Sequence[Mapping[str, Any]]) -> web.Response:
        page, size, shown = _slice(ask, rows)
        pages = max(1, math.ceil(len(rows) / size))
        answer: dict[str, Any] = {
            name: shown,
            "pagination": {
                "total_items": len(rows),
                "total_pages": pages,
                "current_page": page,
                "items_per_page": size,
            },
            "links": {},
        }
        if page < pages:
            answer["links"] = {
                "next_page": {"href": f"{ask.call.path}?page={page + 1}&items_per_page={size}", "method": "GET"}
            }
        return said(answer)


def _slice(ask: Ask, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int, Sequence[Mapping[str, Any]]]:
    """Page, its size, and what is on it.  Raises VendorRefusal 400."""
    try:
        page, size = int(ask.query.get("page", "1")), int(ask.query.get("items_per_page", str(_PAGE)))
    except ValueError as error:
        raise VendorRefusal(400, bodies.INVALID, note="page and items_per_page are numbers") from error
    if page < 1 or size < 1:
        raise VendorRefusal(400, bodies.INVALID, note="page and items_per_page are positive")
    return page, size, rows[(page - 1) * size : page * size]


def _fits(one: User, wanted: Mapping[str, str]) -> bool:
    return all(getattr(one, name).lower() == value.lower() for name, value in wanted.items())
