"""What is put into tickets.  Pure but for the clock.

A message whose ``sent_datetime`` is empty is sent to the customer by Gorgias (documented): everything here has one.
"""

from __future__ import annotations

from typing import Any

from warmline.desks.gorgias.settings import GorgiasPayload, GorgiasSettings
from warmline.desks.shared.answers import moment
from warmline.handover.port import AuthorKind, HandoverRequest, TranscriptLine
from warmline.kernel.clock import Clock

OURS = "warmline:"
"""How the external id of everything begins that we put into a ticket."""
NOTE = "internal-note"
MOST_MESSAGES = 500
"""A new ticket takes no more (documented); the link in the note leads to the rest."""
_FIRST = (
    "From the website's chat. Public replies are shown there; closing the ticket gives the visitor back to the bot."
)


class TicketBodies:
    """Bodies of requests, by the connection's settings.  ``customer`` is a customer's number."""

    def __init__(self, settings: GorgiasSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def new(self, request: HandoverRequest, payload: GorgiasPayload | None, customer: int) -> dict[str, Any]:
        """A ticket with all that was said before."""
        told = payload or GorgiasPayload(crm_platform="gorgias", connection_id="")
        team = told.assignee_team or request.escalate_to or self._settings.team_id
        tags = dict.fromkeys((self._settings.tag, *told.tags))
        body: dict[str, Any] = {
            "channel": self._settings.channel,
            "via": "api",
            "from_agent": False,
            "external_id": request.id,
            "subject": told.subject or "Website chat",
            "customer": {"id": customer},
            "tags": [{"name": tag} for tag in tags if tag],
            "messages": self._messages(request, customer),
        }
        return body | ({"assignee_team": {"id": _number(team)}} if team else {})

    def line(self, customer: int, text: str, item: str, at: int) -> dict[str, Any]:
        """A line of the visitor; ``item`` is our id of it."""
        return {
            "channel": self._settings.channel,
            "via": "api",
            "from_agent": False,
            "sender": {"id": customer},
            "body_text": text,
            "external_id": f"{OURS}{item}",
            "sent_datetime": moment(at),
        }

    def note(self, text: str, item: str, at: int) -> dict[str, Any]:
        """A note that only agents see."""
        return {
            "channel": NOTE,
            "via": "api",
            "from_agent": True,
            "public": False,
            "sender": {"email": self._settings.account_email},
            "body_text": text,
            "external_id": f"{OURS}{item}",
            "sent_datetime": moment(at),
        }

    def _messages(self, request: HandoverRequest, customer: int) -> list[dict[str, Any]]:
        """A note with the circumstances, then what was said up to the wish for a person: later lines follow one by one."""
        said = [line for line in request.transcript if line.seq <= request.cursor and _is_told(line)]
        said = said[1 - MOST_MESSAGES :]
        now = self._clock.now()
        began = said[0].at if said else now
        lines = [self._told(line, f"{request.id}:{line.seq}", customer) for line in said]
        if not lines:
            # A ticket is somebody's question, also of a visitor who only pressed a button.
            lines.append(self.line(customer, "…", f"{request.id}:0", now) | {"created_datetime": moment(now)})
        note = self.note(_context(request), request.id, now) | {"created_datetime": moment(began - 1)}
        return [note, *lines]

    def _told(self, line: TranscriptLine, item: str, customer: int) -> dict[str, Any]:
        when = {"created_datetime": moment(line.at)}
        if line.author is AuthorKind.VISITOR:
            return self.line(customer, line.text, item, line.at) | when
        # One user stands for all of our side, so a person's line says whose it is.
        spoken = f"{line.name}: {line.text}" if line.author is AuthorKind.AGENT and line.name else line.text
        ours = {"from_agent": True, "sender": {"email": self._settings.account_email}}
        return self.line(customer, spoken, item, line.at) | ours | when


def _is_told(line: TranscriptLine) -> bool:
    return bool(line.text.strip()) and line.author is not AuthorKind.SYSTEM


def _context(request: HandoverRequest) -> str:
    """What this ticket is, where the visitor is and why a person is wanted."""
    facts = [
        ("Reason", str(request.reason)),
        ("Page", request.page.get("url")),
        ("Language", request.language),
        ("Phone", request.visitor.phone),
        ("Transcript", request.transcript_url),
    ]
    return "\n".join([_FIRST, *(f"{name}: {value}" for name, value in facts if value)])


def _number(team: int | str) -> int | str:
    """Gorgias' ids are numbers; what is none is sent as it is, and refused in its words."""
    return int(team) if isinstance(team, str) and team.isascii() and team.isdecimal() else team
