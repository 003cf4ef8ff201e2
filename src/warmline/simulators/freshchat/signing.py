"""How Freshchat signs its webhooks: SHA256withRSA (PKCS #1 v1.5) over the body, in base64.  Documented.

The settings page shows the public key in an armour that says ``RSA PUBLIC KEY`` while the content is SubjectPublicKeyInfo,
as a published key with a body and its signature shows; a strict reader of that armour rejects it.  Reported: the key
often arrives on one line.
"""

from __future__ import annotations

import base64
import textwrap
from functools import cache

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SIGNATURE_HEADER = "X-Freshchat-Signature"
_BEGIN, _END = "-----BEGIN RSA PUBLIC KEY-----", "-----END RSA PUBLIC KEY-----"
_BITS = 2048


def new_key() -> rsa.RSAPrivateKey:
    """A key pair."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)


@cache
def process_key() -> rsa.RSAPrivateKey:
    """The one of this process: making a pair takes longer than most tests."""
    return new_key()


@cache
def wrong_key() -> rsa.RSAPrivateKey:
    """A pair that no settings page ever showed."""
    return new_key()


def signature(key: rsa.RSAPrivateKey, body: bytes) -> str:
    """The header's value."""
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), SHA256())).decode()


def shown(key: rsa.RSAPrivateKey, *, one_line: bool = False) -> str:
    """The public key as the settings page shows it."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b64encode(der).decode()
    if one_line:
        return f"{_BEGIN}{text}{_END}"
    return "\n".join([_BEGIN, *textwrap.wrap(text, 64), _END])
