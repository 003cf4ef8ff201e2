"""What the handlers of ``/api/v1`` work with."""

from __future__ import annotations

from dataclasses import dataclass

from warmline.accounts.answers import Answers
from warmline.accounts.api_keys import ApiKeys
from warmline.bots.service import Bots
from warmline.conversations.attachment_links import AttachmentLinks
from warmline.conversations.attachments import Attachments
from warmline.conversations.listing import Listing
from warmline.conversations.service import Conversations
from warmline.conversations.widgets import Widgets
from warmline.handover.connections import Connections
from warmline.handover.handoff import Handoffs
from warmline.handover.ladder import Ladders
from warmline.handover.parked import Parked
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the handlers work with; bound once by the composition root."""

    api_keys: ApiKeys
    answers: Answers
    attachments: Attachments
    bots: Bots
    clock: Clock
    connections: Connections
    file_links: AttachmentLinks
    conversations: Conversations
    handoffs: Handoffs
    ladders: Ladders
    listing: Listing
    outgoing: Outgoing
    parked: Parked
    widgets: Widgets
    public_url: str
