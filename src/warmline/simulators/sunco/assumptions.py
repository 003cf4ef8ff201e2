"""What the documentation of Sunshine Conversations leaves open, as switches.  A default is our best reading, never a fact.

Sources read in November 2026: the vendor's OpenAPI document 17.12.1, the guide "Switchboard", the help articles on
``first_message_id`` and on the metadata of passControl.  How Zendesk's agents behave behind ``zd:agentWorkspace`` is known
from other integrators only.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    refuse_unknown_fields: bool = True
    """The schemas do not say what happens to a field they do not name."""
    batch_events: bool = False
    """The body has room for several events, also of several conversations (documented); when they are put together is not
    said.  True: those of ``Waits.background_ms`` go in one request."""
    too_large_status: Literal[400, 413] = 413
    """JSON above 100 kB is refused (documented), with which status is not said."""
    page_order: Literal["oldest first", "newest first"] = "oldest first"
    """The newest page of messages comes first (documented); the order inside a page is not said."""
    pass_without_messages: Literal["no ticket", "failure"] = "no ticket"
    """Control passed to agents before anything was said: no ticket until somebody writes (seen by others), or refused."""
    repeated_pass_tells: bool = False
    """Passing control to who has it is harmless (documented); whether the webhook says so again is not."""
    after_release: Literal["default", "nobody"] = "default"
    """Who gets the user's next message once control was released."""
    standby_hears_control: bool = True
    """Whether integrations on standby with ``deliverStandbyEvents`` hear of changes of control, too."""
    agent_typing: bool = False
    """``conversation:typing`` is described for users; its schema has room for the business."""
    closed_message: Literal["told", "stored", "none"] = "stored"
    """A closed ticket leaves a message with an ``activity`` (documented); whether a webhook brings it is not said."""
    agent_id_in_metadata: bool = True
    """Messages of agents carry ``__zendesk_msg.agent.id`` (seen by others)."""
