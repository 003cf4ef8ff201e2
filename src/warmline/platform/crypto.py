"""Secrets at rest (a keyring of AES-256-GCM keys beside the data), random tokens and their hashes."""

from __future__ import annotations

import base64
import binascii
import contextlib
import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from warmline.kernel.clock import Clock, SystemClock, to_rfc3339
from warmline.kernel.errors import SettingsError, WarmlineError

KEY_FILE = "keys.json"
_PREFIX = "wk1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class KeyFileError(SettingsError):
    """The key file cannot be used: its permissions, its owner or its content.  The start stops with this sentence."""

    default_code = "key_file"
    title = "The key file cannot be used"


class KeyMissing(WarmlineError):
    """A secret was encrypted with a key that the key file no longer holds: that secret is lost."""

    default_code = "key_missing"
    title = "The key of this secret is missing"


class Undecryptable(WarmlineError):
    """The text is no secret of ours, was changed, or belongs to another context."""

    default_code = "undecryptable"
    title = "The secret cannot be decrypted"


class _Key(msgspec.Struct, frozen=True):
    key: bytes
    made_at: str


class _KeyFile(msgspec.Struct, frozen=True):
    version: int
    current: str
    keys: dict[str, _Key]


class Keyring:
    """Encrypts connection secrets with the current key and decrypts with any key of the file.

    Several processes may share one file; a key that another process added by ``rotate`` is picked up when it is met.
    """

    def __init__(self, path: Path, content: _KeyFile, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._use(content)

    @classmethod
    def open(cls, folder: Path, clock: Clock | None = None) -> Keyring:
        """The keyring in ``folder/keys.json``, made (mode 0600) on first use; the folder must exist.

        Raises KeyFileError when group or others may read the file, or its content is damaged.
        """
        clock = clock or SystemClock()
        path = folder / KEY_FILE
        with _only_one(path):
            if not path.exists():
                _write(path, _with_new_key(None, clock))
        return cls(path, _read(path), clock)

    @property
    def current_id(self) -> str:
        """The id of the key that new secrets are encrypted with."""
        return self._content.current

    @property
    def key_ids(self) -> tuple[str, ...]:
        """All keys of the file, the oldest first."""
        return tuple(self._content.keys)

    def encrypt(self, data: bytes, context: str) -> str:
        """``wk1.<key id>.<base64url of nonce and ciphertext>``.

        ``context`` says where the secret belongs (``connection:<id>:secret``): it is authenticated, so a blob moved
        to another row does not decrypt there.
        """
        key_id = self._content.current
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[key_id].encrypt(nonce, data, _bound(key_id, context))
        return f"{_PREFIX}.{key_id}.{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def decrypt(self, blob: str, context: str) -> bytes:
        """The data given to ``encrypt`` with the same context.  Raises KeyMissing or Undecryptable."""
        key_id, text = _parts(blob)
        if key_id not in self._ciphers:
            self._use(_read(self.path))
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            detail = (
                f"The secret of {context!r} was encrypted with key {key_id}, which is not in {self.path}: restore that"
                " key file from a backup, or enter the secret again. Without the key it cannot be read."
            )
            raise KeyMissing(detail, key_id=key_id)
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(key_id, context))
        except (binascii.Error, ValueError, InvalidTag) as error:
            detail = f"The secret of {context!r} cannot be decrypted: it was changed or belongs elsewhere."
            raise Undecryptable(detail) from error

    def tag(self, data: bytes, context: str) -> str:
        """``<key id>.<base64url HMAC-SHA256>``: proves later that ``data`` was ours.  ``context`` as for ``encrypt``."""
        return self._tag(self._content.current, data, context)

    def tag_matches(self, tag: str, data: bytes, context: str) -> bool:
        """Whether ``tag`` was made for exactly this, with a key that is still in the file."""
        key_id = tag.partition(".")[0]
        if key_id not in self._content.keys:
            self._use(_read(self.path))
        return key_id in self._content.keys and same(tag, self._tag(key_id, data, context))

    def _tag(self, key_id: str, data: bytes, context: str) -> str:
        # A key of its own per purpose, so that nothing made for one can stand in for another.
        key = hmac.digest(self._content.keys[key_id].key, f"{_PREFIX}.tag.{context}".encode(), "sha256")
        return f"{key_id}.{base64.urlsafe_b64encode(hmac.digest(key, data, 'sha256')).rstrip(b'=').decode()}"

    def needs_reencryption(self, blob: str) -> bool:
        """Whether the blob was made with a key that is no longer the current one.  Raises Undecryptable."""
        return _parts(blob)[0] != self._content.current

    def rotate(self) -> str:
        """Add a new key and make it the current one; old keys stay for what they encrypted.  Returns its id."""
        with _only_one(self.path):
            content = _with_new_key(_read(self.path), self._clock)
            _write(self.path, content)
        self._use(content)
        return content.current

    def retire(self) -> tuple[str, ...]:
        """Remove every key but the current one; returns their ids.  Only after all secrets were encrypted anew."""
        with _only_one(self.path):
            content = _read(self.path)
            gone = tuple(key_id for key_id in content.keys if key_id != content.current)
            content = msgspec.structs.replace(content, keys={content.current: content.keys[content.current]})
            _write(self.path, content)
        self._use(content)
        return gone

    def _use(self, content: _KeyFile) -> None:
        self._content = content
        self._ciphers = {key_id: AESGCM(entry.key) for key_id, entry in content.keys.items()}


def _bound(key_id: str, context: str) -> bytes:
    return f"{_PREFIX}.{key_id}.{context}".encode()


def _parts(blob: str) -> tuple[str, str]:
    prefix, _, rest = blob.partition(".")
    key_id, dot, text = rest.partition(".")
    if prefix != _PREFIX or not dot or not key_id:
        detail = f"Not an encrypted secret: it must begin with '{_PREFIX}.'."
        raise Undecryptable(detail)
    return key_id, text


def _with_new_key(content: _KeyFile | None, clock: Clock) -> _KeyFile:
    key_id = "k" + secrets.token_hex(4)
    keys = dict(content.keys) if content else {}
    keys[key_id] = _Key(key=os.urandom(_KEY_BYTES), made_at=to_rfc3339(clock.now()))
    return _KeyFile(version=1, current=key_id, keys=keys)


def _read(path: Path) -> _KeyFile:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read()
    except OSError as error:
        detail = (
            f"The key file {path} cannot be read ({error.strerror}). It holds the keys of all stored connection"
            " secrets; restore it from a backup, without it they must be entered again."
        )
        raise KeyFileError(detail) from error
    if stat.S_IMODE(status.st_mode) & 0o077:
        detail = (
            f"The key file {path} can be read by other users of this machine (mode {stat.S_IMODE(status.st_mode):04o})."
            f" Run: chmod 600 {path} - and, if others may have read it, warmline keys rotate."
        )
        raise KeyFileError(detail)
    try:
        content = msgspec.json.decode(raw, type=_KeyFile)
    except msgspec.DecodeError as error:
        detail = f"The key file {path} is damaged; restore it from a backup."
        raise KeyFileError(detail) from error
    if content.version != 1 or content.current not in content.keys:
        detail = f"The key file {path} has no usable current key; restore it from a backup."
        raise KeyFileError(detail)
    if any(len(entry.key) != _KEY_BYTES for entry in content.keys.values()):
        detail = f"The key file {path} holds a key that is not {_KEY_BYTES} bytes long; restore it from a backup."
        raise KeyFileError(detail)
    return content


def _write(path: Path, content: _KeyFile) -> None:
    # A half-written key file would lose every secret: write beside, flush to the disk, then rename over.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(content), indent=2))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    # The folder itself is locked, so that no lock file is left behind: two processes on first start make one key.
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        detail = f"The data folder {path.parent} cannot be opened ({error.strerror})."
        raise KeyFileError(detail) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def new_token(prefix: str = "", size: int = 32) -> str:
    """A secret of ``size`` random bytes (at least 16), URL-safe, after ``prefix``."""
    if size < 16:
        msg = "a token needs at least 16 random bytes"
        raise ValueError(msg)
    return prefix + secrets.token_urlsafe(size)


def hash_token(token: str) -> str:
    """SHA-256 in hex: enough for random tokens, never for passwords."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_matches(token: str, hashed: str) -> bool:
    """Whether ``hashed`` is ``hash_token(token)``, in constant time."""
    return same(hash_token(token), hashed)


def same(one: str | bytes, other: str | bytes) -> bool:
    """Equality in a time that does not tell how much was equal."""
    left = one.encode() if isinstance(one, str) else one
    right = other.encode() if isinstance(other, str) else other
    return hmac.compare_digest(left, right)
