"""``/api/v1/conversations``: reading them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import get
from litestar.params import FromPath, QueryParameter

from warmline.accounts.access import Scope
from warmline.conversations import events as e
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.listing import Filters, Listed
from warmline.conversations.model import ConversationState, Handover
from warmline.web.api.door import Call
from warmline.web.api.values import (
    After,
    Cursor,
    IdFilter,
    Limit,
    Moment,
    Output,
    Search,
    check_id,
    moment,
    moment_or_none,
)

_READ = {"scope": Scope.CONVERSATIONS_READ}
_TAGS = ["Conversations"]
_CHUNK = 200

Status = Literal["open", "closed"]
Owner = Literal["bot", "desk", "nobody"]
Stage = Literal["requested", "offered", "queued", "connected", "transferring"]


class AgentShown(Output, frozen=True, kw_only=True):
    """The person on the desk's side."""

    id: str | None
    name: str | None
    avatar: str | None


class HandoverShown(Output, frozen=True, kw_only=True):
    """The handover in progress; ``rung`` counts from 0, ``connection_id`` is the rung's."""

    id: str
    stage: Stage
    rung: int
    connection_id: str
    reason: str
    position: int | None
    wait_minutes: int | None
    agent: AgentShown | None
    requested_at: Moment


class PageShown(Output, frozen=True, kw_only=True):
    """The visitor's page when the chat was opened, as the browser told it."""

    user_agent: str
    screen_res: str
    language: str
    url: str
    referrer: str
    title: str


class ConversationShown(Output, frozen=True, kw_only=True):
    """A conversation as it is now.  To write as its owner, send its ``owner_epoch`` along."""

    id: str
    status: Status
    owner: Owner
    owner_epoch: int
    seq: int
    handover: HandoverShown | None
    channel: str
    widget_id: str | None
    bot_id: str
    connection_id: str | None
    external_id: str | None
    visitor_id: str | None
    language: str
    page: PageShown | None
    messages: int
    parked: tuple[str, ...]
    erased: bool
    started_at: Moment
    active_at: Moment


class ConversationListed(Output, frozen=True, kw_only=True):
    """A conversation in a list, which may lag behind by a moment."""

    id: str
    status: Status
    owner: Owner
    owner_epoch: int
    seq: int
    stage: Stage | None
    rung_connection_id: str | None
    agent_name: str | None
    waiting_since: Moment | None
    channel: str
    widget_id: str | None
    bot_id: str
    connection_id: str | None
    external_id: str | None
    visitor_id: str | None
    visitor_name: str
    language: str
    messages: int
    last_author: str | None
    last_text: str | None
    started_at: Moment
    active_at: Moment


class ConversationPage(Output, frozen=True, kw_only=True):
    """One page of conversations."""

    items: tuple[ConversationListed, ...]
    next_cursor: str | None


class ButtonShown(Output, frozen=True, kw_only=True):
    """A quick reply or a link under a message."""

    text: str
    kind: Literal["reply", "link"]
    url: str | None


class FileShown(Output, frozen=True, kw_only=True):
    """A file of a message.  ``size`` is in bytes; ``url`` is signed and works for some days, then ask again."""

    id: str
    name: str
    media_type: str
    size: int
    url: str


class MessageShown(Output, frozen=True, kw_only=True):
    """One message."""

    seq: int
    at: Moment
    message_id: str
    author: e.AuthorKind
    name: str | None
    text: str
    buttons: tuple[ButtonShown, ...]
    attachments: tuple[FileShown, ...]


class TranscriptPage(Output, frozen=True, kw_only=True):
    """Messages in order; ``next_after`` is the ``after`` of the next page, null when there is none."""

    items: tuple[MessageShown, ...]
    next_after: int | None


class EventShown(Output, frozen=True, kw_only=True):
    """One event as it stands in the journal.  ``data`` of an erased one is ``{"erased": true}``."""

    seq: int
    type: str
    version: int
    at: Moment
    owner_epoch: int
    actor: str
    data: dict[str, Any]


class EventPage(Output, frozen=True, kw_only=True):
    """Events in order; ``next_after`` is the ``after`` of the next page, null when there is none."""

    items: tuple[EventShown, ...]
    next_after: int | None


@get("/conversations", operation_id="listConversations", summary="List conversations", tags=_TAGS, opt=_READ)
async def list_conversations(
    call: Call,
    status: Annotated[Status | None, QueryParameter(description="Only open or only closed ones.")] = None,
    owner: Annotated[Owner | None, QueryParameter(description="Only those that it owns.")] = None,
    stage: Annotated[Stage | None, QueryParameter(description="Only those whose handover is there.")] = None,
    widget_id: IdFilter = None,
    connection_id: IdFilter = None,
    search: Search = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ConversationPage:
    """The one with the latest activity first."""
    filters = Filters(
        status=status,
        owner=owner,
        stage=stage,
        widget_id=widget_id,
        connection_id=connection_id,
        search=search or "",
    )
    page = await call.at.listing.conversations(filters, cursor=cursor, limit=limit)
    return ConversationPage(items=tuple(_show_listed(one) for one in page.items), next_cursor=page.next)


@get(
    "/conversations/{conversation_id:str}",
    operation_id="getConversation",
    summary="Read a conversation",
    tags=_TAGS,
    opt=_READ,
)
async def get_conversation(call: Call, conversation_id: FromPath[str]) -> ConversationShown:
    """Its present state; its words are in the transcript."""
    state, seq = await find(call, conversation_id)
    return await show(call, state, seq)


@get(
    "/conversations/{conversation_id:str}/transcript",
    operation_id="getTranscript",
    summary="Read what was said",
    tags=_TAGS,
    opt=_READ,
)
async def get_transcript(
    call: Call, conversation_id: FromPath[str], after: After = 0, limit: Limit = 200
) -> TranscriptPage:
    """Messages only, oldest first; erased ones are left out."""
    await find(call, conversation_id)
    items: list[MessageShown] = []
    while True:
        events = await call.at.conversations.journal.events(CONVERSATION, conversation_id, after=after, limit=_CHUNK)
        for event in events:
            if isinstance(event.body, e.MessagePosted):
                if len(items) == limit:
                    return TranscriptPage(items=tuple(items), next_after=items[-1].seq)
                items.append(_show_message(call, event.seq, event.at, event.body))
        if len(events) < _CHUNK:
            return TranscriptPage(items=tuple(items), next_after=None)
        after = events[-1].seq


@get(
    "/conversations/{conversation_id:str}/events",
    operation_id="getEvents",
    summary="Read everything that happened",
    tags=_TAGS,
    opt=_READ,
)
async def get_events(call: Call, conversation_id: FromPath[str], after: After = 0, limit: Limit = 200) -> EventPage:
    """The journal's own events.  Ignore types and fields you do not know: there will be more."""
    await find(call, conversation_id)
    journal = call.at.conversations.journal
    events = await journal.events(CONVERSATION, conversation_id, after=after, limit=limit + 1)
    items = tuple(
        EventShown(
            seq=event.seq,
            type=event.type,
            version=event.version,
            at=moment(event.at),
            owner_epoch=event.owner_epoch,
            actor=event.actor,
            data=msgspec.json.decode(event.raw),
        )
        for event in events[:limit]
    )
    return EventPage(items=items, next_after=items[-1].seq if len(events) > limit else None)


async def find(call: Call, conversation_id: str) -> tuple[ConversationState, int]:
    """State and seq.  Raises NotFound."""
    return await call.at.conversations.snapshot(check_id(conversation_id, "conversation"))


async def show(call: Call, state: ConversationState, seq: int) -> ConversationShown:
    """The conversation as the API tells it."""
    first = await call.at.conversations.journal.events(CONVERSATION, state.id, limit=1)
    body = first[0].body if first else None
    return ConversationShown(
        id=state.id,
        status="closed" if state.status == "closed" else "open",
        owner=state.owner,
        owner_epoch=state.owner_epoch,
        seq=seq,
        handover=_show_handover(state.handover) if state.handover else None,
        channel=state.channel,
        widget_id=state.widget_id,
        bot_id=state.bot_id,
        connection_id=state.connection_id,
        external_id=state.external_id,
        visitor_id=state.visitor_id or None,
        language=state.language,
        page=PageShown(**msgspec.structs.asdict(body.page)) if isinstance(body, e.ConversationStarted) else None,
        messages=state.messages,
        parked=state.parked,
        erased=state.erased,
        started_at=moment(state.started_at),
        active_at=moment(state.active_at),
    )


def _show_handover(held: Handover) -> HandoverShown:
    agent = held.agent
    return HandoverShown(
        id=held.id,
        stage=held.stage,
        rung=held.rung,
        connection_id=held.step.connection_id,
        reason=held.reason,
        position=held.position,
        wait_minutes=held.wait_minutes,
        agent=AgentShown(id=agent.id, name=agent.name, avatar=agent.avatar) if agent else None,
        requested_at=moment(held.requested_at),
    )


def _show_listed(one: Listed) -> ConversationListed:
    shown: dict[str, Any] = msgspec.structs.asdict(one)
    wanted = {name: shown[name] for name in ConversationListed.__struct_fields__ if name in shown}
    return ConversationListed(
        **wanted
        | {
            "id": one.conversation_id,
            "visitor_id": one.visitor_id or None,
            "waiting_since": moment_or_none(one.waiting_since),
            "started_at": moment(one.started_at),
            "active_at": moment(one.active_at),
        }
    )


def _show_message(call: Call, seq: int, at: int, body: e.MessagePosted) -> MessageShown:
    return MessageShown(
        seq=seq,
        at=moment(at),
        message_id=body.message_id,
        author=body.author,
        name=body.name,
        text=body.text,
        buttons=tuple(ButtonShown(text=one.text, kind=one.kind, url=one.url) for one in body.buttons),
        attachments=tuple(
            FileShown(
                id=one.id,
                name=one.name,
                media_type=one.media_type,
                size=one.size,
                url=call.at.file_links.lasting(one, at),
            )
            for one in body.attachments
        ),
    )


HANDLERS = (list_conversations, get_conversation, get_transcript, get_events)
