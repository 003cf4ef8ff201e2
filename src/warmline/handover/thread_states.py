"""What a desk wants remembered of a thread, as it lies in the store: JSON, encrypted, since a session's key may be in it."""

from __future__ import annotations

from typing import Any

import msgspec

from warmline.platform.crypto import Keyring


class ThreadStates:
    """Seals and opens the states of threads."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def seal(self, thread_id: str, state: Any) -> str | None:
        """The column's text; None for no state.  Raises TypeError for what is not JSON."""
        if state is None:
            return None
        return self._keyring.encrypt(msgspec.json.encode(state), _context(thread_id))

    def unseal(self, thread_id: str, text: str | None) -> Any:
        """The state that was sealed.  Raises KeyMissing, Undecryptable."""
        return None if text is None else msgspec.json.decode(self._keyring.decrypt(text, _context(thread_id)))


def _context(thread_id: str) -> str:
    return f"thread:{thread_id}:state"
