"""What the connections service must know of a kind of desk without importing any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from warmline.handover.connection_forms import FormField
from warmline.handover.payloads import PayloadKind
from warmline.handover.port import Desk, HandoverRequest, Manifest, QueueRef, Thread


@dataclass(frozen=True, slots=True)
class Secret:
    """One value of a secret field; ``until`` is the moment (ms) it stops counting, None for the current one."""

    value: str = field(repr=False)
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A connection as its desk sees it: decrypted, newest secret first."""

    connection_id: str
    name: str
    bot_ids: tuple[str, ...]
    settings: Mapping[str, Any]
    secrets: Mapping[str, Sequence[Secret]] = field(repr=False)

    def values(self, name: str, now: int) -> list[str]:
        """The values of a secret that count at ``now`` (ms), newest first."""
        return [secret.value for secret in self.secrets.get(name, ()) if secret.until is None or now < secret.until]

    def value(self, name: str, now: int) -> str:
        """The newest value of a secret, empty when there is none."""
        return next(iter(self.values(name, now)), "")

    def thread(self, request: HandoverRequest, ref: str, state: Any = None) -> Thread:
        """The thread that stands at the vendor for a request; ``ref`` is the vendor's id of it, ``state`` JSON."""
        return Thread(
            ref=ref,
            connection_id=self.connection_id,
            conversation_id=request.conversation_id,
            request_id=request.id,
            bot_id=request.bot_id,
            state=state,
        )

    def queue(self, ref: str, name: str) -> QueueRef:
        """A routing target as an administrator is shown it: asked for no conversation, on behalf of the first bot."""
        return QueueRef(ref=ref, bot_id=self.bot_ids[0] if self.bot_ids else "", name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskKind:
    """One kind of desk: what it says about itself, its form, and how a desk is made.

    ``summary`` is half a sentence for the list of kinds; ``webhook`` tells where at the vendor the connection's address
    is entered, empty where nobody reports by webhook.
    ``payload`` says what a rung may tell this desk besides the handover, None where it is told nothing more.
    ``check_settings`` refuses (Invalid with a path below ``$.settings``) what single fields cannot tell;
    ``new_secret(name)`` makes a value for a generated secret field.
    """

    manifest: Manifest
    form: tuple[FormField, ...]
    make: Callable[[Linked], Desk]
    check_settings: Callable[[Mapping[str, Any]], None] = lambda _settings: None
    new_secret: Callable[[str], str] | None = None
    payload: PayloadKind | None = None
    summary: str = ""
    webhook: str = ""

    @property
    def key(self) -> str:
        """The manifest's key, stored as the connection's kind."""
        return self.manifest.key
