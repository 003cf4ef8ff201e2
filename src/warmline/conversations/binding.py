"""Which files a message may carry.  Pure; asked under the stream's lock."""

from __future__ import annotations

from warmline.conversations.commands import MAX_FILES, MAX_FILES_IN_ALL
from warmline.conversations.events import Attachment
from warmline.conversations.model import ConversationState
from warmline.kernel.errors import Conflict, Invalid


def room_for(state: ConversationState) -> int:
    """How many files the next message may have."""
    return max(0, min(MAX_FILES, MAX_FILES_IN_ALL - len(state.files)))


def fresh(state: ConversationState, attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """The same files, none of which another message has.

    Raises Invalid ``file_used``, naming the place, and Conflict ``too_many_files``.
    """
    if len(attachments) > room_for(state):
        raise Conflict(
            f"A message has at most {MAX_FILES} files, and a conversation {MAX_FILES_IN_ALL}.", code="too_many_files"
        )
    for index, one in enumerate(attachments):
        if one.id in state.files:
            raise Invalid("Another message has this file already.", path=f"$.attachments[{index}]", code="file_used")
    return attachments
