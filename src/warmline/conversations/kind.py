"""How the journal runs conversations: the stream kind that ties model and decisions together."""

from __future__ import annotations

from warmline.conversations.commands import DeadlineReached
from warmline.conversations.decisions import decide
from warmline.conversations.events import EVENTS
from warmline.conversations.model import (
    EVOLVE_VERSION,
    ConversationState,
    conversation_of,
    deadlines,
    epoch_of,
    evolve,
    initial,
)
from warmline.journal.kinds import StreamKind

CONVERSATION = "conversation"

conversation_kind: StreamKind[ConversationState] = StreamKind(
    name=CONVERSATION,
    initial=initial,
    decide=decide,
    evolve=evolve,
    events=EVENTS,
    state_type=ConversationState,
    evolve_version=EVOLVE_VERSION,
    epoch=epoch_of,
    deadlines=deadlines,
    deadline_command=lambda _state, kind: DeadlineReached(kind=kind),
    conversation_id=conversation_of,
)
