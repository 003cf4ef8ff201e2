"""What Dixa's documentation leaves open, as switches.  A default is our best reading, never a fact.

Sources read in November 2026: the OpenAPI document of the Dixa API, and the pages "Generic API messaging channel",
"Escalate a conversation to an agent", "API standards & rules", "Webhook payloads", "Available event types" and
"Security best practices" on docs.dixa.io.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    refuse_unknown_fields: bool = True
    """The schemas do not say what happens to a field they do not name."""
    accept_bearer: bool = False
    """The standards page speaks of bearer tokens; all samples send the token alone."""
    refused_status: Literal[401, 403] = 401
    """401 is documented for some operations, and was seen by others for a wrong token."""
    retry_after_s: int | None = None
    """429 is documented, a Retry-After header is not."""
    external_id_once: bool = False
    """Whether a second message with the ``externalId`` of an earlier one is the same message.  Not documented."""
    events_for_imports: bool = True
    """Imported conversations and messages raise events.  Webhook filters know ``OperationOrigin: ApiImport``, hence yes."""
    default_routing: bool = True
    """A conversation that nobody transfers to a queue ends up in the default queue after ``Waits.routing_ms``."""
    transfer_enqueues: bool = True
    """A transfer to a queue raises ``enqueued`` as well."""
    split_transfers: bool = False
    """The events page lists "transferred to agent" and "transferred to queue", the API one ``ConversationTransferred``.
    False: ``CONVERSATION_TRANSFERRED`` for both; True: ``CONVERSATION_TRANSFERRED_TO_AGENT`` and ``…_TO_QUEUE``."""
    agent_in_data: bool = True
    """Assigned, unassigned, transferred and typing events name the agent as ``data.agent`` next to the conversation."""
    abandoned_closes: bool = True
    """A conversation that is closed before any agent had it raises ``abandoned`` and ``closed``; else ``abandoned`` only."""
    agent_email: Literal["refused", "accepted"] = "refused"
    """An end user with an agent's e-mail is reported to break handovers; here it cannot be made."""
    message_to_closed: Literal["reopens", "refused"] = "reopens"
    """What a message to a closed conversation does."""
    closing_twice: Literal["accepted", "refused"] = "accepted"
    """Closing what is closed: 204 again, or 400."""
