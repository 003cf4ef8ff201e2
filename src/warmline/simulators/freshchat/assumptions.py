"""What Freshchat's documentation leaves open, as switches.  A default is our best reading, never a fact.

Marks: *documented* stands on a page of the vendor; *reported* was read in working code or notes of other integrators; *assumed* is
ours.  Sources read in November 2026: the v2 reference (developers.freshchat.com), the help article on webhook payloads and their
signature, and public integrations that agree with each other.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    ids: Literal["guid", "both", "numeric to read"] = "guid"
    """Reported: newer accounts have a number (``freshchat_conversation_id``) beside the GUID, in answers and webhooks.
    ``both``: either is understood; ``numeric to read``: reading a conversation or its messages takes the number only."""
    one_conversation_per_topic: bool = False
    """Reported and contradicted: whether a second conversation of a user in a topic is the first one, gone on."""
    made_status: Literal[200, 201] = 201
    """What creating answers; descriptions disagree."""
    events_for_first_messages: bool = True
    """Whether the messages of a new conversation come as webhooks.  Assumed."""
    rule_assigns_group: bool = True
    """An assignment rule puts what has no group into the topic's group after ``Waits.routing_ms``.  Assumed, as an account
    may or may not have such a rule."""
    api_acts_as: Literal["system", "agent"] = "system"
    """Who assigned, resolved or reopened, when it was done through the API.  Assumed."""
    message_to_resolved: Literal["reopens", "refused"] = "reopens"
    """What a user's message to a resolved conversation does.  A reopening by a user is documented; others report that a
    new status has to be put first."""
    conversation_properties: bool = False
    """Whether properties of a conversation can be changed.  Reported: 400, "Conversation payload not valid"."""
    reference_id_once: bool = False
    """Whether a second user with the same ``reference_id`` is refused.  Assumed."""
    newest_first: bool = True
    """The order of a conversation's messages.  Not documented."""
    upload_answer: Literal["hash", "url"] = "hash"
    """Reported: an uploaded file is named by ``file_hash`` and ``file_id``, sometimes by an address."""
    late_file_urls: bool = False
    """Reported: an agent's file comes without its address, which is there when the message is read a moment later."""
    message_type_missing: bool = False
    """Documented samples of webhooks without ``message_type`` exist."""
    retry_after_s: int | None = None
    """429 is documented; a header and the limits are not."""
