"""Kustomer's outbound webhooks: envelope, changes, signature.

Documented: the envelope's fields, the names of the headers, the signature (lower-case hexadecimal HMAC-SHA256 of the raw
body with the webhook's token as the key, and no moment in it), and ``changes`` with ``op``, ``before`` and ``after``.  Seen in
sampled events: ``dataId``, ``meta.customChanged``, ``client: api-gw`` for what an API key changed, no ``changes`` at a creation.
Assumed: how a changed relationship looks, and the ``client`` of what an agent does.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from warmline.kernel.clock import to_rfc3339
from warmline.simulators.kustomer.state import Account, object_id

EVENT_HEADER = "X-Kustomer-Webhook-Event"
SIGNATURE_HEADER = "X-Kustomer-Webhook-Signature"
BY_API, BY_AGENT = "api-gw", "agent-desktop"
EVENTS = tuple(
    f"kustomer.{subject}.{change}"
    for subject in ("conversation", "customer", "message", "note", "tag", "team", "user")
    for change in ("create", "update")
)
"""What a webhook may be subscribed to."""
_LADDER_MINUTES = (1, 1, 2, 5, 10, 15, 30)
"""The waits between deliveries, as documented."""
QUICK_LADDER_MS = tuple(minutes * 20 for minutes in _LADDER_MINUTES)
"""For tests: a minute takes 20 milliseconds."""
PATIENT_LADDER_MS = tuple(minutes * 1_000 for minutes in _LADDER_MINUTES)
"""For people: a minute takes a second."""


class Webhook(msgspec.Struct, kw_only=True):
    """An outbound webhook.  ``counted_from``: how many deliveries were made before it was last enabled."""

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    token: str
    enabled: bool
    created_at: int
    updated_at: int
    counted_from: int = 0
    disabled_by_failures: bool = False


def signature(token: str, body: bytes) -> str:
    """What ``X-Kustomer-Webhook-Signature`` says."""
    return hmac.new(token.encode(), body, hashlib.sha256).hexdigest()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What changed between two versions of a resource; empty when nothing did."""
    found = {part: _changes(before[part], after[part]) for part in ("attributes", "relationships")}
    return found if any(found.values()) else {}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = _plain(before.get(name)), _plain(after.get(name))
        if old != new:
            operation = "add" if name not in before else "replace" if name in after else "remove"
            found[name] = {"op": operation, "before": old, "after": new}
    return found


def _plain(value: Any) -> Any:
    """Of a relationship only what it points at."""
    return value["data"] if isinstance(value, Mapping) and "links" in value and "data" in value else value


def envelope(
    name: str, account: Account, now: int, data: Mapping[str, Any], changed: Mapping[str, Any] | None, client: str
) -> tuple[str, bytes]:
    """The event's id and its body."""
    event_id = object_id(now)
    body: dict[str, Any] = {
        "id": event_id,
        "name": name,
        "org": account.org_id,
        "orgName": account.org_name,
        "partition": account.org_id,
        "data": data,
        "createdAt": to_rfc3339(now),
    }
    if changed is not None:
        body["changes"] = changed
    custom = "custom" in (changed or {}).get("attributes", {})
    body |= {"persist": True, "client": client, "dataId": data["id"], "meta": {"customChanged": custom}}
    return event_id, msgspec.json.encode(body)


def resource(one: Webhook) -> dict[str, Any]:
    """A webhook as the API shows it; that the token is an attribute is assumed."""
    return {
        "type": "outbound_webhook",
        "id": one.id,
        "attributes": {
            "name": one.name,
            "url": one.url,
            "events": list(one.events),
            "headers": [{"name": name, "value": value} for name, value in one.headers],
            "enabled": one.enabled,
            "token": one.token,
            "createdAt": to_rfc3339(one.created_at),
            "updatedAt": to_rfc3339(one.updated_at),
        },
        "links": {"self": f"/v1/outbound-webhooks/{one.id}"},
    }


def unknown(names: Sequence[str]) -> list[str]:
    """The names that are not events."""
    return sorted(set(names) - set(EVENTS))
