"""The secrets of one connection: sealed as a whole, several values per field while one is being rotated."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from warmline.handover.desk_kinds import Secret
from warmline.platform.crypto import Keyring

Secrets = Mapping[str, tuple[Secret, ...]]
"""Field → its values, the current one first."""


class _Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    value: str
    until: int | None = None


_DECODER = msgspec.json.Decoder(dict[str, list[_Stored]])


def seal(keyring: Keyring, connection_id: str, secrets: Secrets) -> str:
    """The encrypted blob for the row; "" for no secrets at all."""
    if not secrets:
        return ""
    plain = {name: [_Stored(one.value, one.until) for one in values] for name, values in secrets.items()}
    return keyring.encrypt(msgspec.json.encode(plain), _context(connection_id))


def unseal(keyring: Keyring, connection_id: str, sealed: str) -> dict[str, tuple[Secret, ...]]:
    """The secrets of a row.  Raises KeyMissing or Undecryptable."""
    if not sealed:
        return {}
    stored = _DECODER.decode(keyring.decrypt(sealed, _context(connection_id)))
    return {name: tuple(Secret(one.value, one.until) for one in values) for name, values in stored.items()}


def rotated(secrets: Secrets, name: str, new: str, *, until: int, now: int) -> dict[str, tuple[Secret, ...]]:
    """``new`` is the current value; the one before it counts until ``until``, older ones no more."""
    before = [one for one in secrets.get(name, ()) if one.until is None]
    kept = tuple(Secret(one.value, until) for one in before[:1] if until > now)
    return {**secrets, name: (Secret(new), *kept)}


def entered(
    secrets: Secrets, given: Mapping[str, str], overlapping: AbstractSet[str], *, until: int, now: int
) -> dict[str, tuple[Secret, ...]]:
    """The secrets after ``given`` was entered; of the ``overlapping`` fields the one before counts until ``until``."""
    after = dict(secrets)
    for name, value in given.items():
        current = next((one.value for one in after.get(name, ()) if one.until is None), None)
        if name in overlapping and current != value:
            after = rotated(after, name, value, until=until, now=now)
        elif current != value:
            after[name] = (Secret(value),)
    return after


def _context(connection_id: str) -> str:
    return f"connection:{connection_id}:secrets"
