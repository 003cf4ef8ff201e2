"""The operations on conversations.  Methods, paths and statuses as in the OpenAPI document."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.ids import uuid7
from warmline.simulators.base import Ask, Route, VendorRefusal
from warmline.simulators.dixa import answers, bodies
from warmline.simulators.dixa.office import NOT_FOUND, Office
from warmline.simulators.dixa.state import CHANNEL, Conversation, Tag

Later = Callable[[Coroutine[Any, Any, None]], None]
_ONE = "/conversations/{conversation_id}"


def data(value: object, status: int = 200) -> web.Response:
    """``{data}``, as every good answer with a body."""
    return web.Response(status=status, body=msgspec.json.encode({"data": value}), content_type="application/json")


def nothing(status: int = 204) -> web.Response:
    """A good answer without a body."""
    return web.Response(status=status)


def number(text: str) -> int:
    """A number out of a path.  Raises VendorRefusal 400."""
    try:
        return int(text)
    except ValueError as error:
        raise VendorRefusal(400, bodies.INVALID_VALUE, note=f"{text!r} is no number") from error


def identifier(text: str) -> str:
    """An id out of a path.  Raises VendorRefusal 400."""
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise VendorRefusal(400, bodies.INVALID_VALUE, note=f"{text!r} is no UUID") from error


class ConversationsApi:
    """Import, messages, routing, labels."""

    def __init__(self, office: Office, later: Later, background_s: float) -> None:
        self._office = office
        self._later = later
        self._background_s = background_s
        self._strict = office.assumptions.refuse_unknown_fields

    def routes(self) -> Sequence[tuple[str, str, str, Callable[[Ask], Coroutine[Any, Any, web.StreamResponse]]]]:
        """Method, path below the version, operation, handler."""
        return (
            ("POST", "/conversations/import", "conversations.import", self.take_over),
            ("GET", _ONE, "conversations.get", self.get),
            ("GET", f"{_ONE}/messages", "messages.list", self.messages),
            ("POST", f"{_ONE}/messages", "messages.add", self.add_message),
            ("PUT", f"{_ONE}/transfer/queue", "conversations.transfer", self.transfer),
            ("PUT", f"{_ONE}/claim", "conversations.claim", self.claim),
            ("PUT", f"{_ONE}/followup", "conversations.followup", self.follow_up),
            ("PUT", f"{_ONE}/close", "conversations.close", self.close),
            ("PUT", f"{_ONE}/reopen", "conversations.reopen", self.reopen),
            ("GET", f"{_ONE}/tags", "conversations.tags", self.tags),
            ("POST", f"{_ONE}/tags/bulk", "conversations.tag_bulk", self.tag_bulk),
            ("PUT", f"{_ONE}/tags/{{tag_id}}", "conversations.tag", self.tag),
            ("DELETE", f"{_ONE}/tags/{{tag_id}}", "conversations.untag", self.untag),
            ("GET", f"{_ONE}/notes", "notes.list", self.notes),
            ("POST", f"{_ONE}/notes", "notes.add", self.add_note),
            ("POST", f"{_ONE}/notes/bulk", "notes.add_bulk", self.add_notes),
            ("PATCH", f"{_ONE}/custom-attributes", "conversations.attributes", self.attributes),
        )

    def _conversation(self, ask: Ask) -> Conversation:
        return self._office.conversation(number(ask.path["conversation_id"]))

    async def take_over(self, ask: Ask) -> web.Response:
        """Import a conversation with its transcript."""
        given = bodies.read(ask.body, bodies.GenericConversationImport, strict=self._strict)
        if given.generic_channel_name != CHANNEL or given.direction not in {"Inbound", "Outbound"}:
            raise VendorRefusal(
                400, bodies.INVALID_VALUE, note=f"the channel must be {CHANNEL}, the direction Inbound or Outbound"
            )
        if given.requester_connection_status not in {None, "Connected", "Disconnected"}:
            raise VendorRefusal(
                400, bodies.DECODING_FAILURE, note="$.requesterConnectionStatus: Connected, Disconnected"
            )
        conversation, faults = self._office.take_over(given)
        answer: dict[str, Any] = {"id": conversation.id}
        if faults:
            answer["partialErrors"] = [{"message": fault} for fault in faults]
        return data(answer, 201)

    async def get(self, ask: Ask) -> web.Response:
        """One conversation."""
        return data(answers.conversation(self._conversation(ask), self._office.account))

    async def messages(self, ask: Ask) -> web.Response:
        """All messages, oldest first."""
        ordered = sorted(self._conversation(ask).messages, key=lambda one: one.created_at)
        return data([answers.message(one) for one in ordered])

    async def add_message(self, ask: Ask) -> web.Response:
        """A message of the end user, or of an agent."""
        given: bodies.NewMessage = bodies.read(ask.body, bodies.NewMessage, strict=self._strict)  # type: ignore[arg-type]
        return data(answers.added_message(self._office.add_message(self._conversation(ask), given)))

    async def transfer(self, ask: Ask) -> web.Response:
        """To a queue."""
        given = bodies.read(ask.body, bodies.TransferToQueue, strict=self._strict)
        conversation = self._conversation_of(ask, given.user_id)
        self._office.put_into_queue(conversation, self._office.queue(str(given.queue_id)), transfer=True)
        return nothing()

    async def claim(self, ask: Ask) -> web.Response:
        """For an agent; 409 when somebody has it and ``force`` is not set."""
        given = bodies.read(ask.body, bodies.Claim, strict=self._strict)
        conversation, agent = self._conversation(ask), self._office.agent(str(given.agent_id))
        if conversation.assignee_id and conversation.assignee_id != agent.id and not given.force:
            raise VendorRefusal(409, "The conversation is already assigned", note="claim with force to take it")
        self._office.assign(conversation, agent)
        return nothing()

    async def follow_up(self, ask: Ask) -> web.Response:
        """Put it off; that the time runs out is not simulated."""
        given = bodies.read(ask.body, bodies.FollowUp, strict=self._strict)
        self._office.snooze(self._conversation_of(ask, given.user_id))
        return nothing()

    async def close(self, ask: Ask) -> web.Response:
        """End it."""
        given = bodies.read(ask.body, bodies.ByUser, strict=self._strict)
        self._office.close(self._conversation_of(ask, given.user_id))
        return nothing()

    async def reopen(self, ask: Ask) -> web.Response:
        """Go on with it."""
        given = bodies.read(ask.body, bodies.ByUser, strict=self._strict)
        self._office.reopen(self._conversation_of(ask, given.user_id))
        return nothing()

    def _conversation_of(self, ask: Ask, user_id: uuid.UUID | None) -> Conversation:
        """The conversation, for somebody who must be known."""
        if user_id:
            self._office.agent(str(user_id))
        return self._conversation(ask)

    # ------------------------------------------------------------------------------------ tags and notes
    async def tags(self, ask: Ask) -> web.Response:
        """Its labels."""
        names = self._conversation(ask).tags
        return data([answers.tag(tag) for tag in self._office.account.tags.values() if tag.name in names])

    async def tag_bulk(self, ask: Ask) -> web.Response:
        """Labels by their names, made where there are none; 202, and done in the background."""
        given = bodies.read(ask.body, bodies.TagNames, strict=self._strict)
        conversation = self._conversation(ask)
        self._later(self._tag_all(conversation, [one.name for one in given.data]))
        return nothing(202)

    async def _tag_all(self, conversation: Conversation, names: list[str]) -> None:
        await asyncio.sleep(self._background_s)
        account = self._office.account
        for name in names:
            tag = account.tag_named(name)
            if tag is None:
                tag = Tag(id=uuid7(), name=name)
                account.tags[tag.id] = tag
            self._office.tag(conversation, tag)

    def _tag(self, ask: Ask) -> Tag:
        tag = self._office.account.tags.get(identifier(ask.path["tag_id"]))
        if tag is None or not tag.active:
            raise VendorRefusal(404, NOT_FOUND, note="there is no active tag with that id")
        return tag

    async def tag(self, ask: Ask) -> web.Response:
        """One label by its id."""
        self._office.tag(self._conversation(ask), self._tag(ask))
        return nothing()

    async def untag(self, ask: Ask) -> web.Response:
        """Off with one label."""
        self._office.untag(self._conversation(ask), self._tag(ask))
        return nothing()

    async def notes(self, ask: Ask) -> web.Response:
        """What agents told each other."""
        conversation = self._conversation(ask)
        return data([answers.note(note, conversation.id) for note in conversation.notes])

    async def add_note(self, ask: Ask) -> web.Response:
        """One note."""
        given = bodies.read(ask.body, bodies.NewNote, strict=self._strict)
        conversation = self._conversation(ask)
        return data(answers.note(self._office.add_note(conversation, given), conversation.id))

    async def add_notes(self, ask: Ask) -> web.Response:
        """Several notes, each with an outcome of its own."""
        given = bodies.read(ask.body, bodies.NewNotes, strict=self._strict)
        conversation = self._conversation(ask)
        outcomes: list[dict[str, Any]] = []
        for one in given.data:
            try:
                note = answers.note(self._office.add_note(conversation, one), conversation.id)
                outcomes.append({"_type": "BulkActionSuccess", "data": note})
            except VendorRefusal as refusal:
                outcomes.append({"_type": "BulkActionFailure", "error": {"message": refusal.message}})
        return data(outcomes)

    async def attributes(self, ask: Ask) -> web.Response:
        """Custom attributes by their ids."""
        given = bodies.read(ask.body, bodies.AttributeValues, strict=False)
        conversation = self._conversation(ask)
        self._office.set_attributes(conversation, {str(name): value for name, value in given.items()})
        return data(answers.attributes(conversation, self._office.account.attributes))


def versions(
    rows: Sequence[tuple[str, str, str, Callable[[Ask], Coroutine[Any, Any, web.StreamResponse]]]],
) -> list[Route]:
    """The same operations below ``/v1`` and ``/beta``; both are documented."""
    return [
        Route(method, f"/{version}{path}", operation, handler)
        for version in ("v1", "beta")
        for method, path, operation, handler in rows
    ]
