"""``/api/v1/conversations/{id}/…``: acting on one."""

from __future__ import annotations

from typing import Annotated

from litestar import post
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from warmline.accounts.access import Scope
from warmline.conversations import commands as c
from warmline.conversations.commands import MAX_FILES
from warmline.conversations.events import Reason, VisitorErased
from warmline.conversations.kind import CONVERSATION
from warmline.conversations.model import ConversationState
from warmline.journal.kinds import Appended
from warmline.kernel.errors import Conflict, Invalid
from warmline.web.api.conversations import ConversationShown, find, show
from warmline.web.api.door import Call, Repeat
from warmline.web.api.values import AnyText, Id, Input, Line, Moment, Output, Text, moment

_TAGS = ["Conversations"]
_PATH = "/conversations/{conversation_id:str}"
_SPEAK = {"scope": Scope.AGENTS_SPEAK, "problems": (409, 422)}
_MESSAGE = _SPEAK | {"one_needed": ("text", "attachments")}
_WRITE = {"scope": Scope.CONVERSATIONS_WRITE, "problems": (409, 422)}
_ERASE = {"scope": Scope.CONVERSATIONS_ERASE, "problems": (409,)}

Epoch = Annotated[int, Meta(ge=0, le=2**53, description="`owner_epoch` as you last saw it.")]


class MessageWanted(Input, frozen=True, kw_only=True):
    """A line of the agent, files, or both."""

    text: AnyText = ""
    owner_epoch: Epoch
    agent_name: Line | None = None
    attachments: Annotated[
        tuple[Id, ...], Meta(max_length=MAX_FILES, description="Ids of uploaded files; without any, `text` is needed.")
    ] = ()


class NoteWanted(Input, frozen=True, kw_only=True):
    """A remark among agents."""

    text: Text


class HandoverWanted(Input, frozen=True, kw_only=True):
    """Why a person is asked for."""

    reason: Reason = "api"


class EndWanted(Input, frozen=True, kw_only=True):
    """Why the time with the person is over; with ``owner_epoch`` only if it is still the same one."""

    reason: Reason = "agent_left"
    owner_epoch: Epoch | None = None


class Posted(Output, frozen=True, kw_only=True):
    """What was stored: its id and its place in the conversation."""

    id: str
    conversation_id: str
    seq: int


class Receipt(Output, frozen=True, kw_only=True):
    """The personal content of the conversation is gone from the journal; numbers, types and times stay."""

    conversation_id: str
    seq: int
    erased_at: Moment


@post(
    _PATH + "/messages",
    operation_id="postMessage",
    summary="Speak as the agent",
    tags=_TAGS,
    opt=_MESSAGE,
)
async def post_message(
    call: Call, repeat: Repeat, conversation_id: FromPath[str], data: JSONBody[MessageWanted]
) -> Posted:
    """While a person is connected.  409 `stale_owner` when the owner has changed, `not_connected`, `closed`."""
    await find(call, conversation_id)
    if not data.text and not data.attachments:
        raise Invalid("This must not be empty.", path="$.text")
    message_id = repeat.new_id()
    command = c.PostAs(
        epoch=data.owner_epoch,
        author="agent",
        message_id=message_id,
        text=data.text,
        name=data.agent_name,
        attachments=await call.at.attachments.resolve(conversation_id, data.attachments),
    )
    done = await _append(call, repeat, conversation_id, command, "postMessage", data)
    return Posted(id=message_id, conversation_id=conversation_id, seq=done.seq)


@post(_PATH + "/notes", operation_id="postNote", summary="Leave a note", tags=_TAGS, opt=_WRITE)
async def post_note(call: Call, repeat: Repeat, conversation_id: FromPath[str], data: JSONBody[NoteWanted]) -> Posted:
    """The visitor never sees it.  Also possible once the conversation is closed."""
    await find(call, conversation_id)
    note_id = repeat.new_id()
    command = c.PostNote(note_id=note_id, member_id=call.who.actor, text=data.text)
    done = await _append(call, repeat, conversation_id, command, "postNote", data)
    return Posted(id=note_id, conversation_id=conversation_id, seq=done.seq)


@post(_PATH + "/handover", operation_id="requestHandover", summary="Ask for a person", tags=_TAGS, opt=_WRITE)
async def request_handover(
    call: Call, repeat: Repeat, conversation_id: FromPath[str], data: JSONBody[HandoverWanted | None] = None
) -> ConversationShown:
    """Down the ladder as it is configured now.  409 `handover_active`, `closed`."""
    reason = (data or HandoverWanted()).reason
    await find(call, conversation_id)
    done = await call.at.conversations.request_handover(
        conversation_id,
        reason=reason,
        by="api",
        actor=call.who.actor,
        key=repeat.key(f"requestHandover {conversation_id}", reason),
    )
    return await show(call, done.state, done.seq)


@post(
    _PATH + "/handover/cancel",
    operation_id="cancelHandover",
    summary="Stop waiting for a person",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def cancel_handover(call: Call, repeat: Repeat, conversation_id: FromPath[str]) -> ConversationShown:
    """Before anybody has joined.  409 `no_handover`, `already_connected`."""
    await find(call, conversation_id)
    done = await _append(call, repeat, conversation_id, c.CancelHandover(by="api"), "cancelHandover")
    return await show(call, done.state, done.seq)


@post(
    _PATH + "/handover/end",
    operation_id="endHandover",
    summary="End the time with the person",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def end_handover(
    call: Call, repeat: Repeat, conversation_id: FromPath[str], data: JSONBody[EndWanted | None] = None
) -> ConversationShown:
    """The bot owns the conversation again.  409 `no_handover`, `stale_owner`."""
    wanted = data or EndWanted()
    await find(call, conversation_id)
    command = c.EndHandover(reason=wanted.reason, epoch=wanted.owner_epoch)
    done = await _append(call, repeat, conversation_id, command, "endHandover", wanted)
    return await show(call, done.state, done.seq)


@post(
    _PATH + "/close",
    operation_id="closeConversation",
    summary="Close a conversation",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def close_conversation(call: Call, repeat: Repeat, conversation_id: FromPath[str]) -> ConversationShown:
    """For good: a returning visitor gets a new one.  409 `closed`."""
    await find(call, conversation_id)
    command = c.Close(reason="api", by=call.who.actor)
    done = await _append(call, repeat, conversation_id, command, "closeConversation")
    return await show(call, done.state, done.seq)


@post(
    _PATH + "/erase",
    operation_id="eraseConversation",
    summary="Erase the personal content",
    tags=_TAGS,
    status_code=200,
    opt=_ERASE,
)
async def erase_conversation(call: Call, conversation_id: FromPath[str]) -> Receipt:
    """Closes the conversation if it is open, and replaces all its content.  409 `already_erased`."""
    state, _seq = await find(call, conversation_id)
    if state.erased:
        raise Conflict("This conversation has been erased.", code="already_erased")
    if state.status == "open":
        await call.at.conversations.command(
            conversation_id, c.Close(reason="api", by=call.who.actor), actor=call.who.actor
        )
    done = await call.at.conversations.journal.erase(
        CONVERSATION, conversation_id, actor=call.who.actor, event=VisitorErased(by=call.who.actor)
    )
    return Receipt(conversation_id=conversation_id, seq=done.seq, erased_at=moment(done.events[-1].at))


async def _append(
    call: Call, repeat: Repeat, conversation_id: str, command: c.Command, operation: str, body: object = None
) -> Appended[ConversationState]:
    key = repeat.key(f"{operation} {conversation_id}", body)
    return await call.at.conversations.command(conversation_id, command, actor=call.who.actor, key=key)


HANDLERS = (
    post_message,
    post_note,
    request_handover,
    cancel_handover,
    end_handover,
    close_conversation,
    erase_conversation,
)
