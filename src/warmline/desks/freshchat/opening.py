"""How a conversation in Freshchat is begun: its user, where it goes, and whether an earlier try has begun it."""

from __future__ import annotations

from typing import Any

import msgspec

from warmline.desks.freshchat.client import DESK, RESOLVED, FreshchatClient, Ids, Message, User
from warmline.desks.freshchat.settings import FreshchatPayload, FreshchatSettings
from warmline.handover.port import HandoverRequest, Refused
from warmline.kernel.clock import Clock, from_rfc3339

TOPIC, GROUP = "topic:", "group:"
"""What stands before the id of a routing target."""
_LOOK_BACK = 5
"""So many of a user's conversations are looked at to find out whether an unanswered start was made."""
_MOST_TEXT = 8_000
"""Characters of the transcript; the limit of a message is not documented."""
_NO_MOMENT = 2**53
"""Stands for the moment of a line that tells none: it may be the one that is looked for."""


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a thread.  ``begun`` is Freshchat's moment (ms) of our first message."""

    user: str = ""
    number: str | None = None
    interaction: str = ""
    begun: int = 0
    group: str | None = None


class Opening:
    """Begins conversations.  Every method may raise a DeskError."""

    def __init__(self, client: FreshchatClient, settings: FreshchatSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._topic: str | None = None

    async def begin(self, request: HandoverRequest, payload: FreshchatPayload | None) -> tuple[str, State]:
        """The conversation's GUID, and what is to be remembered of it."""
        user = await self._user(request, payload)
        topic, group = await self._target(request.escalate_to)
        known = await self._started(user.id, request.id) if request.repeated else None
        ref, state = known or await self._start(request, user.id, topic, group)
        return ref, msgspec.structs.replace(state, user=user.id, group=group)

    async def _user(self, request: HandoverRequest, payload: FreshchatPayload | None) -> User:
        """The visitor's user, by our own id of him only.

        Not by his e-mail address: he has typed it, nobody has checked it, and users of one address may share one
        conversation, in which he would read what is said to somebody else.
        """
        card = request.visitor
        known_as = f"warmline-{card.id or request.conversation_id}"
        name = ((payload.name if payload else None) or card.name or "").strip()
        first, _space, last = name.partition(" ")
        told = {
            "first_name": first,
            "last_name": last.strip(),
            "email": (payload.email if payload else None) or card.email or "",
        }
        fields = {field: value for field, value in told.items() if value}
        found = await self._client.find_user(known_as)
        if found is None:
            fields |= {"phone": card.phone} if card.phone else {}
            return await self._new_user(known_as, {"first_name": "Visitor", **fields, "reference_id": known_as})
        if any(getattr(found, field) != value for field, value in fields.items()):
            await self._client.update_user(found.id, fields)
        return found

    async def _new_user(self, known_as: str, body: dict[str, Any]) -> User:
        try:
            return await self._client.create_user(body)
        except Refused as error:
            # Somebody else was quicker, perhaps an earlier try of ours.
            found = await self._client.find_user(known_as) if error.vendor_status == 409 else None
            if found is None:
                raise
            return found

    async def _target(self, escalate_to: str | None) -> tuple[str, str | None]:
        """Topic and group: what the scenario names, else the connection's, else the first enabled topic."""
        wanted = escalate_to or ""
        topic = wanted.removeprefix(TOPIC) if wanted.startswith(TOPIC) else self._settings.topic_id
        group = self._settings.group_id
        if wanted and not wanted.startswith(TOPIC):
            group = wanted.removeprefix(GROUP)
        if topic is None and self._topic is None:
            enabled = [one.id for one in await self._client.topics(operation="open") if one.enabled]
            if not enabled:
                raise Refused("Freshchat has no enabled topic.", desk=DESK, operation="open")
            self._topic = enabled[0]
        return topic or self._topic or "", group

    async def _start(self, request: HandoverRequest, user: str, topic: str, group: str | None) -> tuple[str, State]:
        first = by_user(user, [{"text": {"content": _context(request)}}]) | {"channel_id": topic}
        body = {"channel_id": topic, "status": "new", "users": [{"id": user}], "messages": [first]}
        body |= {"assigned_group_id": group} if group else {}
        made = await self._client.start(body)
        if not made.conversation_id:
            raise Refused("Freshchat does not say which conversation was begun.", desk=DESK, operation="open")
        number = str(made.freshchat_conversation_id) if made.freshchat_conversation_id else None
        if made.status == RESOLVED:
            # It went on with an earlier conversation of this user, and left it resolved.
            await self._client.change(Ids(made.conversation_id), opened_again(group), operation="open")
        mine = [line for line in made.messages if _mentions(line, request.id)]
        return made.conversation_id, self._stretch(mine[0] if mine else None, number)

    async def _started(self, user: str, request_id: str) -> tuple[str, State] | None:
        """The conversation that an earlier try has begun, if it did."""
        for ref in reversed((await self._client.conversations_of(user))[-_LOOK_BACK:]):
            try:
                lines = await self._client.messages(Ids(ref), 0, operation="open")
            except Refused as error:
                if error.vendor_status != 404:
                    raise
                continue  # an account that lists by one kind of id and reads by the other (reported)
            for line in lines:
                if _mentions(line, request_id):
                    return ref, self._stretch(line, None)
        return None

    def _stretch(self, line: Message | None, number: str | None) -> State:
        """From where on the conversation is this handover's."""
        begun = at(line.created_time) if line else 0
        if line is None or begun == _NO_MOMENT:
            begun = self._clock.now()
        return State(number=number, interaction=line.interaction_id if line else "", begun=begun)


def by_user(user: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A message of a user."""
    return {
        "message_parts": parts,
        "message_type": "normal",
        "actor_type": "user",
        "actor_id": user,
        "user_id": user,
    }


def opened_again(group: str | None) -> dict[str, Any]:
    """The change that opens a resolved conversation again."""
    return {"status": "new", **({"assigned_group_id": group} if group else {})}


def _context(request: HandoverRequest) -> str:
    """The first message: what was said, where the visitor is, and the id by which the conversation is found again."""
    facts = [
        ("Reason", str(request.reason)),
        ("Page", request.page.get("url")),
        ("Language", request.language),
        ("Transcript", request.transcript_url),
        ("Reference", request.id),
    ]
    said = "\n".join(
        f"{line.name or line.author}: {line.text}"
        for line in request.transcript
        if line.seq <= request.cursor and line.text.strip()
    )
    told = "\n".join(f"{name}: {value}" for name, value in facts if value)
    cut = f"… {said[-_MOST_TEXT:]}" if len(said) > _MOST_TEXT else said
    return f"{cut}\n\n{told}" if cut else told


def _mentions(line: Message, request_id: str) -> bool:
    return any(part.text and f"Reference: {request_id}" in part.text.content for part in line.message_parts)


def at(stamp: str) -> int:
    """Milliseconds; far ahead where the vendor tells no moment."""
    try:
        return from_rfc3339(stamp)
    except ValueError:
        return _NO_MOMENT
