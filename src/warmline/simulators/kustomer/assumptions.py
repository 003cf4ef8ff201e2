"""What Kustomer's documentation leaves open, as switches.  A default is our best reading, never a fact.

Sources read in November 2026, on developer.kustomer.com: "Server-side chat API" and the reference pages of the chat API
v2.1, "Errors", "Rate limits", "Events and webhooks", "Outbound webhooks", "Delivery and security", "Conversations and
messages", "Upload attachments", "Quickstart", and the v1 reference of customers, conversations, messages, notes,
attachments, queues and work items; and two events of a real account that a public integration keeps as samples.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    # ---------------------------------------------------------------------------------------- refusals
    refuse_unknown_fields: bool = True
    """The schemas do not say what happens to a field they do not name."""
    error_form: Literal["message", "jsonapi"] = "message"
    """Both are documented ("most endpoints", "some endpoints"), not which endpoint has which."""
    missing_role_status: Literal[401, 403] = 403
    """An older page says 401 for a missing role; 403 is listed today."""
    handoff_roles: Literal["either", "both"] = "either"
    """The reference page of handoff asks for one of two roles, the guide for both."""
    handoff_refused_status: Literal[400, 422] = 422
    """For fewer than two messages, more than a hundred, or only one direction; the rules are documented, the status is
    not."""
    max_body_bytes: int = 102_400
    """"100kb for most endpoints" (413); whether a handoff of 100 messages may be larger is not said."""
    retry_after_s: int | None = None
    """429 with ``x-ratelimit-*`` is documented, a Retry-After header is not."""
    reset_unit: Literal["s", "ms"] = "s"
    """``x-ratelimit-reset`` is a moment; its unit is not said."""
    allow_http_webhooks: bool = True
    """Kustomer takes https only (documented).  Receivers of a simulator are local, so plain http is let through."""

    # ------------------------------------------------------------------------------------------ opening
    handoff_repeat: Literal["another", "refused"] = "another"
    """A second handoff with the ``externalId`` of an earlier one: another session, or 409."""
    events_for_imports: bool = True
    """Messages of a handoff are mirrored to the conversation (documented); that this raises ``message.create`` is not."""
    mirrored_ids: Literal["same", "other"] = "same"
    """Whether the message of the conversation has the id of the chat message.  With ``other`` it has one of its own, and
    the chat message's id as ``externalId``."""
    import_mark: Literal["importedAt", "none"] = "none"
    """Whether messages of a handoff say that they were imported."""
    default_routing: bool = True
    """Queue rules put a conversation that nobody gave a queue into the default one after ``Waits.routing_ms``.  Without,
    it waits in no queue at all."""

    # --------------------------------------------------------------------------------------- messages
    preview_characters: int | None = None
    """Events carry the text as ``preview``.  Whether a long one is cut there is not said; None: it is not."""
    newest_first: bool = False
    """The order in which a session's messages are listed."""
    updates_for_messages: bool = True
    """Each message changes its conversation's counters, and so raises ``conversation.update``."""
    attachment_links: Literal["signed", "api"] = "signed"
    """Whether ``links.related`` of an attachment opens by itself, or only with the API key."""
    message_to_ended: Literal["refused", "reopens"] = "refused"
    """A customer's message to a chat that was ended.  (That it reopens one that is merely done is documented.)"""

    # ------------------------------------------------------------------------------------------- agents
    closing: Literal["both", "status", "ended"] = "both"
    """What an agent's ending of a chat changes: ``status`` to done, ``ended`` to true, or both."""
    assignment_after_reply: bool = False
    """The update that names the assigned user arrives only after that user's first message."""
    split_transfers: bool = False
    """A transfer to a queue raises one update for the users and one for the queue, instead of a single one."""

    # ------------------------------------------------------------------------------------------ webhooks
    disable_after_failures: int | None = 3
    """A webhook that keeps failing is disabled (documented); after how many lost events is not said.  None: never."""
