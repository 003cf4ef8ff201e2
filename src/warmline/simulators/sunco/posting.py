"""Webhooks: who hears of what, several events in one request, and what is not tried again.

Documented: the envelope, ``X-API-Key``, the triggers, five attempts with growing pauses, the statuses after which there is no
further one.  Who hears of a change of control, and when events are put together, are switches.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import msgspec

from warmline.kernel.clock import Clock, to_rfc3339
from warmline.simulators.deliveries import Deliveries, Delivery, Endpoint
from warmline.simulators.sunco.assumptions import Assumptions
from warmline.simulators.sunco.state import Account, Integration, Webhook, new_id

TRIGGERS = frozenset(
    {
        "client:add",
        "client:remove",
        "client:update",
        "conversation:create",
        "conversation:join",
        "conversation:leave",
        "conversation:message",
        "conversation:message:delivery:channel",
        "conversation:message:delivery:failure",
        "conversation:message:delivery:user",
        "conversation:postback",
        "conversation:read",
        "conversation:referral",
        "conversation:remove",
        "conversation:typing",
        "passthrough:messaging",
        "switchboard:acceptControl",
        "switchboard:acceptControl:failure",
        "switchboard:offerControl",
        "switchboard:offerControl:failure",
        "switchboard:passControl",
        "switchboard:passControl:failure",
        "switchboard:releaseControl",
        "user:merge",
        "user:remove",
        "user:update",
    }
)
"""What a webhook may be asked to tell, as documented."""
UNKNOWN = "conversation:summary"
_FINAL = frozenset({400, 401, 403, 404, 406})
Payload = Callable[[bool], Mapping[str, Any]]
"""What happened, with or without everything about users."""


class SuncoDeliveries(Deliveries):
    """Gives up at once where the answer says that trying again is of no use."""

    async def _retry(self, endpoint: Endpoint, delivery: Delivery) -> None:
        for wait in self._waits.retry_ms:
            if delivery.attempts[-1].status in _FINAL:
                break
            await asyncio.sleep(wait / 1000)
            if (await self._attempt(endpoint, delivery)).good:
                return
        if delivery.state == "waiting":
            delivery.state = "failed"


class Posting:
    """Sends what happened to the webhooks that want it."""

    def __init__(
        self,
        account: Account,
        clock: Clock,
        deliveries: Deliveries,
        assumptions: Assumptions,
        soon: Callable[[Coroutine[Any, Any, None]], None],
        gather_s: float,
    ) -> None:
        self._account = account
        self._clock = clock
        self._deliveries = deliveries
        self._assumptions = assumptions
        self._soon = soon
        self._gather_s = gather_s
        self._gathered: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    def tell(self, name: str, payload: Payload, concerned: Collection[str | None], *, own: bool = False) -> None:
        """Something happened; ``concerned`` are the lines that had, have or are offered control."""
        switches = self._deliveries.switches
        if own and not switches.echo:
            return
        if switches.unknown_events and name != UNKNOWN:
            self.tell(UNKNOWN, lambda _full: {}, concerned)
        # Everybody who hears of it hears of the same event: the id is that of what happened.
        about = {"id": new_id(), "createdAt": to_rfc3339(self._clock.now()), "type": name}
        for integration, hook in self._account.webhooks:
            if (name in hook.triggers or name == UNKNOWN) and self._hears(integration, name, concerned):
                self._post(hook, {**about, "payload": payload(hook.include_full_user)})

    def _hears(self, integration: Integration, name: str, concerned: Collection[str | None]) -> bool:
        line = self._account.line_of(integration.id)
        if line is None or not self._account.switchboard.enabled or line.id in concerned:
            return True
        if name.startswith("switchboard:") and not self._assumptions.standby_hears_control:
            return False
        return line.deliver_standby_events

    def _post(self, hook: Webhook, event: dict[str, Any]) -> None:
        if not self._assumptions.batch_events:
            self._send(hook, [event])
            return
        self._gathered[hook.id].append(event)
        if len(self._gathered[hook.id]) == 1:
            self._soon(self._flush(hook))

    async def _flush(self, hook: Webhook) -> None:
        await asyncio.sleep(self._gather_s)
        self._send(hook, self._gathered.pop(hook.id))

    def _send(self, hook: Webhook, events: list[dict[str, Any]]) -> None:
        body = {
            "app": {"id": self._account.app_id},
            "webhook": {"id": hook.id, "version": "v2"},
            "events": events,
        }
        name = " + ".join(event["type"] for event in events)
        self._deliveries.send(self.endpoint(hook), event_id=events[0]["id"], name=name, body=msgspec.json.encode(body))

    def endpoint(self, hook: Webhook) -> Endpoint:
        """Where events go, and the secret that goes along."""

        def sign(_body: bytes, _at: int) -> Mapping[str, str]:
            return {"X-API-Key": "0" * 32 if self._deliveries.switches.wrong_signature else hook.secret}

        return Endpoint(hook.target, sign)
