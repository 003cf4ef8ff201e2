"""What a desk wants remembered of a thread, as it lies in the store: JSON, encrypted, since a session's key may be in it."""

from __future__ import annotations

from typing import Any

import msgspec

from warmline.handover.port import Thread
from warmline.handover.thread_store import ThreadRow
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


def thread_of(row: ThreadRow, state: Any, *, ref: str | None = None) -> Thread:
    """What a desk is given of a thread; ``ref`` when it is known by another than the row has."""
    return Thread(
        ref=ref or row.ref or row.conversation_id,
        connection_id=row.connection_id,
        conversation_id=row.conversation_id,
        request_id=f"{row.handover_id}.{row.rung}",
        bot_id=row.bot_id,
        state=state,
    )


def _context(thread_id: str) -> str:
    return f"thread:{thread_id}:state"
