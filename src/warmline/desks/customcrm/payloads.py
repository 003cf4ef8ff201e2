"""The bodies sent to a custom CRM.  Pure; the published fields, plus ``data.warmline`` in the rich profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from warmline.desks.customcrm.settings import Profile
from warmline.desks.shared.answers import moment
from warmline.handover.port import BotLine, HandoverRequest, OutboundMessage, TranscriptLine

RICH_VERSION = 1
INLINE_TRANSCRIPT_CHARACTERS = 100_000
"""Longest inline transcript; older lines are left out and ``transcriptComplete`` says so (the link has them all)."""


def envelope(bot_id: str, conversation_id: str, event_type: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """``{botId, channel, data: {platformConversationId, eventType, …}}`` as JSON."""
    data = {"platformConversationId": conversation_id, "eventType": event_type, **(extra or {})}
    return msgspec.json.encode({"botId": bot_id, "channel": "chat", "data": data})


def widget_escalate(request: HandoverRequest, escalate_to: str | None, profile: Profile) -> bytes:
    """``widgetEscalate``: a visitor of our widget asks for a person."""
    extra: dict[str, Any] = {"escalateTo": escalate_to} if escalate_to else {}
    if profile == "rich":
        extra["warmline"] = _context(request)
    return envelope(request.bot_id, request.conversation_id, "widgetEscalate", extra)


def escalate(request: HandoverRequest, external_id: str, escalate_to: str | None, profile: Profile) -> bytes:
    """``escalate``: the bot gives back a conversation whose front end is the CRM."""
    extra: dict[str, Any] = {"escalateTo": escalate_to} if escalate_to else {}
    if profile == "rich":
        extra["warmline"] = _context(request)
    return envelope(request.bot_id, external_id, "escalate", extra)


def widget_message(bot_id: str, conversation_id: str, item: OutboundMessage, profile: Profile) -> bytes:
    """``widgetMessage``: the visitor says something.  Without *rich*, attachments become links in the text."""
    if profile == "exact":
        links = [f"{file.name}: {file.url}" for file in item.attachments]
        text = "\n".join([item.text, *links] if item.text else links)
        return envelope(bot_id, conversation_id, "widgetMessage", {"text": text})
    extra: dict[str, Any] = {
        "version": RICH_VERSION,
        "messageId": item.id,
        "seq": item.seq,
        "language": item.language,
        "attachments": [
            {"name": file.name, "mediaType": file.media_type, "size": file.size, "url": file.url}
            for file in item.attachments
        ],
    }
    return envelope(bot_id, conversation_id, "widgetMessage", {"text": item.text, "warmline": extra})


def widget_end_session(bot_id: str, conversation_id: str) -> bytes:
    """``widgetEndSession``: the visitor ended the escalated session, or the handover has moved on."""
    return envelope(bot_id, conversation_id, "widgetEndSession")


def is_team_online(bot_id: str, conversation_id: str, team: str | None) -> bytes:
    """``isTeamOnline``: whether people are there."""
    return envelope(bot_id, conversation_id, "isTeamOnline", {"teamId": team} if team else None)


def send_message(line: BotLine, profile: Profile) -> bytes:
    """``sendMessage``: a line of the bot, for a CRM that is the front end itself.

    The published buttons are text and type only, so without *rich* a link's address goes into the text.
    """
    links = [button for button in line.buttons if button.url is not None]
    text = line.text
    if profile == "exact" and links:
        text = "\n".join([text, *(f"{button.text}: {button.url}" for button in links)])
    extra: dict[str, Any] = {"type": "text", "text": text}
    if line.buttons:
        extra["buttons"] = [
            {"text": button.text, "type": "button" if button.url is None else "link"} for button in line.buttons
        ]
    extra |= {"confidence": line.confidence, "messageId": line.id}
    if profile == "rich" and links:
        named = [{"text": button.text, "url": button.url} for button in links]
        extra["warmline"] = {"version": RICH_VERSION, "links": named}
    return envelope(line.bot_id, line.external_id, "sendMessage", extra)


def _context(request: HandoverRequest) -> dict[str, Any]:
    transcript, complete = _latest(request.transcript)
    card = request.visitor
    visitor = {"id": card.id, "name": card.name, "email": card.email, "phone": card.phone}
    context: dict[str, Any] = {
        "version": RICH_VERSION,
        "requestId": request.id,
        "handoverId": request.handover_id,
        "rung": request.rung,
        "ownerEpoch": request.owner_epoch,
        "reason": str(request.reason),
        "language": request.language,
        "visitor": {name: value for name, value in visitor.items() if value is not None},
        "page": {name: value for name, value in request.page.items() if value not in (None, "")},
        "transcript": transcript,
        "transcriptComplete": complete and request.transcript_complete,
    }
    if request.transcript_url:
        context["transcriptUrl"] = request.transcript_url
    if request.reply_to:
        context["replyTo"] = request.reply_to
    return context


def _latest(lines: tuple[TranscriptLine, ...]) -> tuple[list[dict[str, Any]], bool]:
    kept: list[dict[str, Any]] = []
    room = INLINE_TRANSCRIPT_CHARACTERS
    for line in reversed(lines):
        room -= len(line.text)
        if room < 0:
            break
        shown: dict[str, Any] = {"seq": line.seq, "at": moment(line.at), "author": str(line.author)}
        kept.append(shown | ({"name": line.name} if line.name else {}) | {"text": line.text})
    kept.reverse()
    return kept, len(kept) == len(lines)
