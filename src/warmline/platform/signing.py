"""Standard Webhooks signatures, symmetric ``v1`` (github.com/standard-webhooks/standard-webhooks, read 2026-11)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence

from warmline.kernel.errors import Invalid, Unauthorized

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE_S = 300
_PREFIX = "whsec_"
_SECRET_BYTES = 32
_MIN_SECRET_BYTES, _MAX_SECRET_BYTES = 24, 64
# A list of signatures is as long as a rotation needs; more is somebody trying.
_MAX_SIGNATURES = 16


class SignatureRejected(Unauthorized):
    """A delivery is not signed by any of the secrets, or is too old or too new."""

    default_code = "signature_rejected"
    title = "The signature is not accepted"


def new_secret() -> str:
    """``whsec_`` and base64 of 32 random bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def decode_secret(secret: str) -> bytes:
    """The key bytes of a ``whsec_`` secret (the prefix may be missing).  Raises Invalid unless 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("A signing secret is 'whsec_' followed by base64.", path="$.secret") from error
    if not _MIN_SECRET_BYTES <= len(key) <= _MAX_SECRET_BYTES:
        raise Invalid("A signing secret holds 24 to 64 bytes.", path="$.secret")
    return key


class Signer:
    """Signs with every secret given (old and new ones during a rotation); keeps the decoded keys."""

    def __init__(self, signing_secrets: Sequence[str]) -> None:
        if not signing_secrets:
            raise Invalid("At least one signing secret is needed.", path="$.secret")
        self._keys = tuple(decode_secret(secret) for secret in signing_secrets)

    def headers(self, message_id: str, at: int, body: bytes) -> dict[str, str]:
        """The three headers for one attempt.

        ``message_id`` stays the same over retries and must be ours: a dot or a line break raises ValueError.
        ``at`` is the moment of this attempt in milliseconds (the header carries seconds).
        """
        if not message_id or "." in message_id or not message_id.isprintable() or not message_id.isascii():
            msg = f"not a message id: {message_id!r}"
            raise ValueError(msg)
        stamp = str(at // 1000)
        content = _content(message_id, stamp, body)
        return {
            ID_HEADER: message_id,
            TIMESTAMP_HEADER: stamp,
            SIGNATURE_HEADER: " ".join(_signature(key, content) for key in self._keys),
        }


def sign(signing_secrets: Sequence[str], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """``Signer(signing_secrets).headers(…)`` for a single use."""
    return Signer(signing_secrets).headers(message_id, at, body)


def verify(
    signing_secrets: Sequence[str], headers: Mapping[str, str], body: bytes, *, now: int, tolerance_s: int = TOLERANCE_S
) -> str:
    """The message id of a delivery signed with one of the secrets; ``body`` must be the raw bytes received.

    ``headers`` may have any case, ``now`` is in milliseconds.  Raises SignatureRejected.  The caller deduplicates by
    the id, since a delivery can be replayed within the tolerance.  A secret that is none is passed over: one that was
    mistyped must not silence those beside it.
    """
    wanted = {ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER}
    given = {name.lower(): value for name, value in headers.items() if name.lower() in wanted}
    if len(given) < len(wanted):
        raise SignatureRejected(
            f"A signed delivery has the headers {ID_HEADER}, {TIMESTAMP_HEADER}, {SIGNATURE_HEADER}."
        )
    stamp = given[TIMESTAMP_HEADER]
    if (
        not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12)
        or abs(now - int(stamp) * 1000) > tolerance_s * 1000
    ):
        raise SignatureRejected(f"The timestamp is more than {tolerance_s} seconds away from now, or no number.")
    content = _content(given[ID_HEADER], stamp, body)
    expected = [_signature(key, content).encode() for key in map(_key, signing_secrets) if key is not None]
    found = False
    # No early leave: the time must not tell which secret or signature was nearly right.
    for signature in given[SIGNATURE_HEADER].split(" ")[:_MAX_SIGNATURES]:
        for one in expected:
            found |= hmac.compare_digest(one, signature.encode())
    if not found:
        raise SignatureRejected("None of the signatures was made with a secret of this connection.")
    return given[ID_HEADER]


def _key(secret: str) -> bytes | None:
    try:
        return decode_secret(secret)
    except Invalid:
        return None


def _content(message_id: str, stamp: str, body: bytes) -> bytes:
    return f"{message_id}.{stamp}.".encode() + body


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
