"""What Salesforce is told at the beginning: values for hidden pre-chat parameters, and what was said before as one text.

A text for every line would not do: Salesforce takes 22 messages a minute in a conversation (documented).
"""

from __future__ import annotations

from collections.abc import Mapping

from warmline.desks.salesforce.payload import SalesforcePayload
from warmline.handover.port import HandoverRequest, TranscriptLine

_LEFT_OUT = "(Earlier lines were left out.)"


def routing_attributes(table: Mapping[str, str], request: HandoverRequest) -> dict[str, str]:
    """Parameter → value, for what the table names and the conversation knows."""
    known = _known(request)
    return {parameter: known[name] for name, parameter in table.items() if known.get(name)}


def _known(request: HandoverRequest) -> dict[str, str]:
    card, page = request.visitor, request.page
    found: dict[str, object] = {
        "visitorName": card.name,
        "email": card.email,
        "phone": card.phone,
        "visitorId": card.id,
        "language": request.language,
        "reason": request.reason,
        "conversationId": request.conversation_id,
        "escalateTo": request.escalate_to,
        "transcriptUrl": request.transcript_url,
        "screenResolution": page.get("screenRes"),
        **{name: page.get(name) for name in ("url", "title", "referrer", "userAgent")},
        **{f"details.{name}": value for name, value in request.details.items()},
    }
    given = request.payload
    if isinstance(given, SalesforcePayload):
        # In the payload as published an unknown visitor is called "Visitor".
        known_name = card.name or given.visitor_name
        found |= {"visitorName": known_name, "buttonId": given.button_id}
        found |= {name: value for name, value in _written(given).items() if value}
        found |= {detail.label: detail.value for detail in given.known_details}
    return {name: str(value) for name, value in found.items() if value}


def _written(given: SalesforcePayload) -> dict[str, str | None]:
    return {
        "language": given.language,
        "userAgent": given.user_agent,
        "screenResolution": given.screen_resolution,
        "deploymentId": given.deployment_id,
    }


def context_text(request: HandoverRequest, *, most_bytes: int) -> str:
    """Who asks, why and from where, then the transcript up to the wish for a person; older lines are left out first."""
    card = request.visitor
    facts = [
        ("Visitor", ", ".join(filter(None, (card.name, card.email, card.phone)))),
        ("Reason", str(request.reason)),
        ("Page", request.page.get("url")),
        ("Language", request.language),
        ("Transcript", request.transcript_url),
    ]
    head = [f"{name}: {value}" for name, value in facts if value]
    said = [_line(line) for line in request.transcript if line.seq <= request.cursor and line.text.strip()]
    room = most_bytes - len("\n".join([*head, "", _LEFT_OUT, ""]).encode())
    kept: list[str] = []
    for line in reversed(said):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.insert(0, line)
    complete = len(kept) == len(said) and request.transcript_complete
    return _cut("\n".join([*head, *([""] if kept else []), *([] if complete else [_LEFT_OUT]), *kept]), most_bytes)


def _line(line: TranscriptLine) -> str:
    return f"{line.name or str(line.author).capitalize()}: {line.text}"


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode("utf-8", "ignore")
