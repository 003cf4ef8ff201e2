"""Signed posts to an address of another company's: one event each, by Standard Webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from warmline.desks.shared.answers import check_reply, translated
from warmline.handover.connection_forms import FormField
from warmline.handover.desk_kinds import Secret
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Invalid, WarmlineError
from warmline.platform.http import Outgoing, Reply, ReplyTooLarge, TargetRefused
from warmline.platform.signing import Signer

SIGNING_SECRET = "signing_secret"
SIGNING_FIELD = FormField(
    name=SIGNING_SECRET,
    label="Signing secret",
    help="Every event is signed with it (Standard Webhooks). Shown once; two are valid during a rotation.",
    secret=True,
    generated=True,
)
_MAX_REPLY_BYTES = 65_536


class SignedPosts:
    """One address, its signing secrets and its time-out (seconds).  ``desk`` is the key of the kind, for errors."""

    def __init__(
        self, outgoing: Outgoing, clock: Clock, *, desk: str, url: str, secrets: Sequence[Secret], timeout_s: float
    ) -> None:
        self._desk = desk
        self._outgoing = outgoing
        self._clock = clock
        self._url = url
        self._secrets = tuple(secrets)
        self._timeout_s = timeout_s
        self._signer: Signer | None = None
        self._signed_with: tuple[str, ...] = ()

    async def post(self, operation: str, webhook_id: str, body: bytes, *, timeout_s: float | None = None) -> Reply:
        """Send one event and return its 2xx reply.

        ``webhook_id`` is the same for every try of the same item: the receiver deduplicates on it, so the connection may
        be tried twice.  Raises DeskError.
        """
        headers = {"Content-Type": "application/json", **self._signature(webhook_id, body)}
        try:
            reply = await self._outgoing.request(
                "POST",
                self._url,
                headers=headers,
                body=body,
                timeout_s=self._timeout_s if timeout_s is None else timeout_s,
                max_bytes=_MAX_REPLY_BYTES,
                idempotent=True,
            )
        except ReplyTooLarge as error:
            # A page of a framework in trouble, mostly: what counts is whether the status says yes, no or later.
            if error.reply is None:
                raise translated(error, desk=self._desk, operation=operation) from error
            reply = error.reply
        except WarmlineError as error:
            raise translated(error, desk=self._desk, operation=operation) from error
        check_reply(reply, desk=self._desk, operation=operation, now=self._clock.now())
        return reply

    def valid_secrets(self) -> tuple[str, ...]:
        """The secrets that count now, newest first."""
        return valid(self._secrets, self._clock.now())

    def _signature(self, webhook_id: str, body: bytes) -> dict[str, str]:
        secrets = self.valid_secrets()
        if not secrets:
            return {"webhook-id": webhook_id, "webhook-timestamp": str(self._clock.now() // 1000)}
        if self._signer is None or secrets != self._signed_with:
            self._signer, self._signed_with = Signer(secrets), secrets
        return self._signer.headers(webhook_id, self._clock.now(), body)


def target_check(outgoing: Outgoing, field: str) -> Callable[[Mapping[str, Any]], None]:
    """What refuses (Invalid) settings whose address in ``field`` must not be called."""

    def check(settings: Mapping[str, Any]) -> None:
        try:
            outgoing.target(settings[field])
        except TargetRefused as error:
            raise Invalid(error.detail, path=f"$.settings.{field}", code="target_refused") from error

    return check


def valid(secrets: Sequence[Secret], now: int) -> tuple[str, ...]:
    """The values that count at a moment (ms), newest first."""
    return tuple(secret.value for secret in secrets if secret.until is None or now < secret.until)


def wire_id(prefix: str, given: str) -> str:
    """A webhook id from one of our ids: the same every time, and without the dot that separates signed parts."""
    return f"{prefix}_{given.replace('.', '_')}"
