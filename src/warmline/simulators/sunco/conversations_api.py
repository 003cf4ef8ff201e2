"""The operations on users, conversations, messages, activity and control.

Documented: methods, paths, statuses, titles of errors, and that pages are found by ids of records.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from aiohttp import web

from warmline.kernel.clock import Clock
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.sunco import answers, bodies
from warmline.simulators.sunco.answers import answer
from warmline.simulators.sunco.keys import Keys
from warmline.simulators.sunco.office import Office
from warmline.simulators.sunco.state import Conversation, Line, User, new_id

Rows = Sequence[tuple[str, str, str, Callable[[Ask], Coroutine[Any, Any, web.StreamResponse]]]]
"""Method, path below the app, operation, handler."""
MESSAGES_A_PAGE = 100
_USUAL = 25
_ONE = "/conversations/{conversation}"


def page(ask: Ask, rows: Sequence[Mapping[str, Any]], name: str, *, backwards: bool) -> dict[str, Any]:
    """The page of ``rows`` (oldest first) before or after a record; ``backwards`` begins with the last one.

    Raises VendorRefusal 400.
    """
    size = MESSAGES_A_PAGE if backwards else _size(ask.query.get("page[size]", str(_USUAL)))
    before, after = ask.query.get("page[before]"), ask.query.get("page[after]")
    if before and after:
        raise VendorRefusal(
            400, "Invalid page query parameters", note="page[before] and page[after] exclude each other"
        )
    ids = [str(row["id"]) for row in rows]
    cursor = before or after
    if cursor and cursor not in ids:
        raise VendorRefusal(400, "Invalid page query parameters", note=f"there is no record {cursor}")
    if before or (backwards and not after):
        end = ids.index(before) if before else len(rows)
        start, more = max(end - size, 0), end > size
    else:
        start = ids.index(after) + 1 if after else 0
        end = min(start + size, len(rows))
        more = end < len(rows)
    shown = list(rows[start:end])
    earlier = str(shown[0]["id"]) if shown and start else None
    later = str(shown[-1]["id"]) if shown and end < len(rows) else None

    def link(to: str, cursor: str | None) -> str | None:
        return f"{ask.call.path}?page[{to}]={cursor}" if cursor else None

    links = answers.without_nothing({"prev": link("before", earlier), "next": link("after", later)})
    meta = answers.without_nothing({"hasMore": more, "beforeCursor": earlier, "afterCursor": later})
    return {name: shown, "meta": meta, **({"links": links} if links else {})}


def _size(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= 100:
        raise VendorRefusal(400, "Invalid page query parameters", note="page[size] is 1 to 100")
    return int(given)


class ConversationsApi:
    """What an integration's own key may use."""

    def __init__(self, office: Office, clock: Clock, keys: Keys) -> None:
        self._office = office
        self._account = office.account
        self._clock = clock
        self._keys = keys
        self._strict = office.assumptions.refuse_unknown_fields

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("POST", "/users", "users.create", self.create_user),
            ("GET", "/users/{user}", "users.get", self.get_user),
            ("PATCH", "/users/{user}", "users.change", self.change_user),
            ("POST", "/conversations", "conversations.create", self.create),
            ("GET", "/conversations", "conversations.list", self.list_all),
            ("GET", _ONE, "conversations.get", self.get),
            ("PATCH", _ONE, "conversations.change", self.change),
            ("GET", f"{_ONE}/participants", "participants.list", self.participants),
            ("POST", f"{_ONE}/messages", "messages.post", self.post_message),
            ("GET", f"{_ONE}/messages", "messages.list", self.messages),
            ("POST", f"{_ONE}/activity", "activity.post", self.activity),
            ("POST", f"{_ONE}/passControl", "control.pass", self.pass_control),
            ("POST", f"{_ONE}/offerControl", "control.offer", self.offer_control),
            ("POST", f"{_ONE}/acceptControl", "control.accept", self.accept_control),
            ("POST", f"{_ONE}/releaseControl", "control.release", self.release_control),
        )

    def _of(self, ask: Ask) -> Conversation:
        return self._office.conversation(ask.path["conversation"])

    def _caller(self, ask: Ask) -> Line | None:
        """The line of the integration whose own key it is; an app's key stands for nobody."""
        integration_id = self._keys.of(ask.headers).integration_id
        return self._account.line_of(integration_id) if integration_id else None

    # ---------------------------------------------------------------------------------------------- users
    async def create_user(self, ask: Ask) -> web.Response:
        """Somebody new; an externalId is taken once."""
        given = bodies.read(ask.body, bodies.NewUser, strict=self._strict)
        if given.external_id is not None and self._account.user(given.external_id) is not None:
            raise VendorRefusal(409, "User already exists", note=f"externalId {given.external_id}")
        made = User(
            id=new_id(),
            created_at=self._clock.now(),
            external_id=given.external_id,
            signed_up_at=given.signed_up_at,
            profile=bodies.plain(given.profile) if given.profile else {},
            metadata=dict(given.metadata or {}),
        )
        self._account.users[made.id] = made
        return answer({"user": answers.user(made)}, 201)

    async def get_user(self, ask: Ask) -> web.Response:
        """By id or externalId."""
        return answer({"user": answers.user(self._office.user(ask.path["user"]))})

    async def change_user(self, ask: Ask) -> web.Response:
        """What is given is changed, the rest stays."""
        found = self._office.user(ask.path["user"])
        given = bodies.read(ask.body, bodies.ChangedUser, strict=self._strict)
        found.profile |= bodies.plain(given.profile) if given.profile else {}
        found.metadata |= given.metadata or {}
        found.signed_up_at = given.signed_up_at or found.signed_up_at
        return answer({"user": answers.user(found)})

    # -------------------------------------------------------------------------------------- conversations
    async def create(self, ask: Ask) -> web.Response:
        """A new conversation."""
        made = self._office.begin(bodies.read(ask.body, bodies.NewConversation, strict=self._strict))
        return answer({"conversation": answers.conversation(made, self._account)}, 201)

    async def list_all(self, ask: Ask) -> web.Response:
        """Those of one user."""
        keys = [ask.query[name] for name in ("filter[userId]", "filter[userExternalId]") if name in ask.query]
        if len(keys) != 1:
            raise VendorRefusal(400, "Bad request", note="filter[userId] or filter[userExternalId]")
        user_id = self._office.user(keys[0]).id
        rows = [
            answers.conversation(one, self._account)
            for one in self._account.conversations.values()
            if user_id in one.user_ids
        ]
        return answer(page(ask, rows, "conversations", backwards=False))

    async def get(self, ask: Ask) -> web.Response:
        """One of them."""
        return answer({"conversation": answers.conversation(self._of(ask), self._account)})

    async def change(self, ask: Ask) -> web.Response:
        """Its name and metadata."""
        found = self._of(ask)
        given = bodies.read(ask.body, bodies.ChangedConversation, strict=self._strict)
        found.display_name = given.display_name or found.display_name
        found.metadata = given.metadata if given.metadata is not None else found.metadata
        return answer({"conversation": answers.conversation(found, self._account)})

    async def participants(self, ask: Ask) -> web.Response:
        """Who takes part."""
        found = self._of(ask)
        rows = [{"id": user_id, "userId": user_id, "unreadCount": 0} for user_id in found.user_ids]
        return answer(page(ask, rows, "participants", backwards=False))

    # ------------------------------------------------------------------------------------------- messages
    async def post_message(self, ask: Ask) -> web.Response:
        """A message."""
        found = self._of(ask)
        made = self._office.write(found, bodies.read(ask.body, bodies.NewMessage, strict=self._strict))
        return answer({"messages": [answers.message(made)]}, 201)

    async def messages(self, ask: Ask) -> web.Response:
        """The newest hundred, and further back page by page."""
        found = page(ask, [answers.message(one) for one in self._of(ask).messages], "messages", backwards=True)
        if self._office.assumptions.page_order == "newest first":
            found["messages"].reverse()
        return answer(found)

    async def activity(self, ask: Ask) -> web.Response:
        """Typing or reading."""
        self._office.act(self._of(ask), bodies.read(ask.body, bodies.NewActivity, strict=self._strict))
        return answer({})

    # -------------------------------------------------------------------------------------------- control
    async def pass_control(self, ask: Ask) -> web.Response:
        """Somebody else is active."""
        found = self._of(ask)
        given = bodies.read(ask.body, bodies.ControlTo, strict=self._strict)
        line = self._office.target(given.switchboard_integration, found, self._caller(ask))
        if line is not None:
            self._office.pass_to(found, line, given.metadata)
        return answer({})

    async def offer_control(self, ask: Ask) -> web.Response:
        """Somebody else is pending."""
        found = self._of(ask)
        given = bodies.read(ask.body, bodies.ControlTo, strict=self._strict)
        line = self._office.target(given.switchboard_integration, found, self._caller(ask))
        if line is not None:
            self._office.offer_to(found, line, given.metadata)
        return answer({})

    async def accept_control(self, ask: Ask) -> web.Response:
        """The pending one is active."""
        found = self._of(ask)
        given = bodies.read(ask.body, bodies.Control, strict=self._strict)
        self._office.accept(found, given.metadata, self._caller(ask))
        return answer({})

    async def release_control(self, ask: Ask) -> web.Response:
        """Nobody is active."""
        found = self._of(ask)
        given = bodies.read(ask.body, bodies.Control, strict=self._strict)
        self._office.release(found, given.metadata, self._caller(ask))
        return answer({})
