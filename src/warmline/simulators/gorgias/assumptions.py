"""What Gorgias' documentation leaves open, as switches.  A default is our best reading, never a fact.

Sources read in November 2026, on developers.gorgias.com: "Errors", "Limitations", the Ticket, TicketMessage, Customer,
Integration, TicketHttpIntegration and File objects, "Create a ticket", "Create a message", both tutorials on creating
them; on docs.gorgias.com: "HTTP integrations"; and what other vendors' connectors and public clients say of themselves
(marked "reported").
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    # ------------------------------------------------------------------------------------------- opening
    unknown_email: Literal["creates", "refused"] = "creates"
    """What a customer or a sender does who is named by an e-mail that nobody has yet."""
    channels_required: bool = True
    """A new customer needs ``channels`` (reported from the vendor's schema)."""
    messages_shown: bool = True
    """The answer to a new ticket, and to reading one, holds its messages."""

    # ------------------------------------------------------------------------------------------- sending
    customer_lines_are_sent: bool = True
    """"Send it to the recipients if ``sent_datetime`` is empty" is documented without an exception for messages of the
    customer.  False: only messages of the shop are sent."""
    api_channel: Literal["sent", "mailed", "failed"] = "sent"
    """What becomes of a message of the shop on channel ``api``: it counts as sent and leaves only by webhook, it is mailed to
    the customer, or it cannot be sent."""

    # ------------------------------------------------------------------------------------------ agents
    reply_assigns: bool = True
    """An answer assigns a ticket that nobody has to its author."""
    assignment_after_reply: bool = False
    """The report of that assignment comes after the message instead of before it."""
    customer_reopens: bool = True
    """A customer's message opens a closed ticket."""
    stripped_bodies: bool = True
    """Messages of agents have ``stripped_text`` and ``stripped_html`` (without the signature) besides the full body."""
    attachment_links: Literal["open", "private"] = "open"
    """Whether the address of an agent's file opens by itself, or only with the credentials of the API."""

    # ----------------------------------------------------------------------------------------- webhooks
    triggers: Literal["dashes", "underscores", "both"] = "both"
    """How triggers are spelled: both are in the documentation, the underscores in an older part."""
    more_triggers: bool = True
    """``ticket-status-updated``, ``ticket-assignment-updated`` and ``ticket-handed-over`` exist (reported)."""
    updates_for_messages: bool = True
    """A message changes its ticket's dates and so triggers ``ticket-updated`` as well."""
    events_for_imports: bool = True
    """The messages of a new ticket trigger ``ticket-message-created`` one by one."""
    values_are_text: bool = True
    """A value of a template that is an expression arrives as text, a yes as ``True`` (reported).  False: it keeps its
    type when the expression is all there is."""
    nothing_is: Literal["None", ""] = "None"
    """How an expression without a value is written."""
    webhooks_repeat: bool = True
    """A failed webhook is tried again, by ``Waits.retry_ms``; nothing is said about it."""
    deactivated_after: int | None = None
    """An integration has a ``deactivated_datetime``; what it takes is not said.  A number: so many lost events in a row."""
