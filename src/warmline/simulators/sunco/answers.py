"""What is answered and told: the schemas of the OpenAPI document, of which fields without a value are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from warmline.kernel.clock import to_rfc3339
from warmline.simulators.sunco.state import (
    Account,
    Conversation,
    Integration,
    Line,
    Message,
    Switchboard,
    User,
    Webhook,
)

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "forbidden",
    409: "conflict",
    413: "payload_too_large",
    423: "locked",
    429: "too_many_requests",
    500: "internal_server_error",
}
"""Documented but for the last three and 413."""
FULL_SWITCHBOARD = "Switchboard has reached the max number of switchboard integrations (10)"


def without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def answer(value: Mapping[str, Any], status: int = 200) -> web.Response:
    """A good answer."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")


def refusal(status: int, message: str) -> web.Response:
    """``{errors: [{code, title}]}``; a 400 may have several, one per line of ``message``."""
    titles = message.splitlines() or [message]
    return answer({"errors": [{"code": _code(status, title), "title": title} for title in titles]}, status)


def _code(status: int, title: str) -> str:
    if status == 404:
        # "User not found" is user_not_found, and so are the others; only the bare one has a code of its own.
        return "not_found" if title == "Resource not found" else title.lower().replace(" ", "_")
    return "too_many_switchboard_integrations" if title == FULL_SWITCHBOARD else _CODES.get(status, "error")


def user(one: User, *, full: bool = True) -> dict[str, Any]:
    """User; without ``full`` what webhooks say of one unless asked for more."""
    truncated = {"id": one.id, "authenticated": False, "externalId": one.external_id}
    more: dict[str, Any] = {
        "signedUpAt": one.signed_up_at,
        "profile": without_nothing(one.profile),
        "metadata": one.metadata,
        "identities": [],
    }
    return without_nothing({**truncated, **(more if full else {})})


def line_in_short(one: Line | None) -> dict[str, Any] | None:
    """A switchboard integration, as conversations name it."""
    if one is None:
        return None
    return {
        "id": one.id,
        "name": one.name,
        "integrationId": one.integration_id,
        "integrationType": one.integration_type,
    }


def conversation_in_short(one: Conversation, account: Account) -> dict[str, Any]:
    """ConversationTruncated."""
    return without_nothing(
        {
            "id": one.id,
            "type": one.type,
            "metadata": one.metadata or None,
            "activeSwitchboardIntegration": line_in_short(account.line(one.active)),
            "pendingSwitchboardIntegration": line_in_short(account.line(one.pending)),
        }
    )


def conversation(one: Conversation, account: Account) -> dict[str, Any]:
    """Conversation."""
    last = one.messages[-1].received if one.messages else one.created_at
    more = {
        "isDefault": one.is_default,
        "displayName": one.display_name,
        "lastUpdatedAt": to_rfc3339(last),
        "createdAt": to_rfc3339(one.created_at),
    }
    return conversation_in_short(one, account) | without_nothing(more)


def message(one: Message, who: User | None = None, *, full_user: bool | None = None) -> dict[str, Any]:
    """Message; with ``full_user`` as webhooks have it, who also say something of the user."""
    author = dict(one.author)
    if full_user is not None:
        author.pop("subtypes", None)  # not in the schema of webhooks
        if who is not None:
            author["user"] = user(who, full=full_user)
    return without_nothing(
        {
            "id": one.id,
            "received": to_rfc3339(one.received),
            "author": author,
            "content": one.content,
            "source": {"type": one.source},
            "metadata": one.metadata or None,
            "activity": one.activity,
        }
    )


def webhook(one: Webhook) -> dict[str, Any]:
    """Webhook, with its secret."""
    return {
        "id": one.id,
        "version": "v2",
        "target": one.target,
        "triggers": list(one.triggers),
        "secret": one.secret,
        "includeFullUser": one.include_full_user,
        "includeFullSource": one.include_full_source,
    }


def integration(one: Integration) -> dict[str, Any]:
    """Integration."""
    hooks: Sequence[dict[str, Any]] | None = [webhook(each) for each in one.webhooks.values()] or None
    return without_nothing(
        {"id": one.id, "type": one.type, "status": "active", "displayName": one.display_name, "webhooks": hooks}
    )


def switchboard(one: Switchboard) -> dict[str, Any]:
    """Switchboard."""
    return without_nothing({"id": one.id, "enabled": one.enabled, "defaultSwitchboardIntegrationId": one.default_id})


def line(one: Line) -> dict[str, Any]:
    """SwitchboardIntegration."""
    more = {
        "deliverStandbyEvents": one.deliver_standby_events,
        "nextSwitchboardIntegrationId": one.next_id,
        "messageHistoryCount": one.message_history_count,
    }
    return (line_in_short(one) or {}) | without_nothing(more)
