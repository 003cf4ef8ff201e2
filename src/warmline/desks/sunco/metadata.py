"""What a ticket is made with: the metadata of the call that passes control to Zendesk's agents.

Documented by Zendesk: ticket fields, the requester's name and e-mail, tags, ``first_message_id``.  Seen by other integrators:
priority, group, assignee, brand and organization.  At most 4 KB, flat.
"""

from __future__ import annotations

from typing import Any

import msgspec
import structlog

from warmline.desks.sunco.settings import SuncoPayload
from warmline.handover.port import HandoverRequest

log = structlog.get_logger(__name__)

LIMIT_BYTES = 4_000
_SYSTEM = "dataCapture.systemField"
_FIELD = "dataCapture.ticketField"
_VALUE_LIMIT = 1_000


def pass_metadata(
    payload: SuncoPayload | None, request: HandoverRequest, *, group_id: str | None, first_message_id: str
) -> dict[str, Any]:
    """The metadata for one handover; ticket fields that do not fit any more are left out."""
    told = payload or SuncoPayload(crm_platform="sunco", connection_id="-")
    card = request.visitor
    system = {
        "requester.name": (told.name or card.name or "")[:_VALUE_LIMIT],
        "requester.email": (told.email or card.email or "")[:_VALUE_LIMIT],
        "tags": ",".join(told.tags),
        "priority": told.priority,
        "group_id": group_id,
        "assignee_id": told.assignee_id,
        "brand_id": told.brand_id,
        "organization_id": told.organization_id,
    }
    metadata: dict[str, Any] = {f"{_SYSTEM}.{name}": value for name, value in system.items() if value}
    if first_message_id:
        metadata["first_message_id"] = first_message_id
    known = {number: value for number, value in told.ticket_fields.items() if value is not None}
    for number, value in known.items():
        kept = value[:_VALUE_LIMIT] if isinstance(value, str) else value
        more = {**metadata, f"{_FIELD}.{number}": kept}
        if kept != "" and len(msgspec.json.encode(more)) <= LIMIT_BYTES:
            metadata = more
        elif kept != "":
            log.warning("sunco.ticket_field_left_out", field=number, conversation=request.conversation_id)
    return metadata
