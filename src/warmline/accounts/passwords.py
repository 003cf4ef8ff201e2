"""Password hashing with argon2id, in threads of its own: never on the event loop, never more than two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from warmline.kernel.errors import Unavailable

_WAITING = 64
T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords.

    19 MiB, two passes, one lane is the OWASP password-storage recommendation for argon2id (read 2026-11).  Two threads
    bound the memory a flood of sign-ins can take; beyond ``_WAITING`` callers the rest are refused with Unavailable.
    """

    def __init__(self, *, time_cost: int = 2, memory_kib: int = 19 * 1024) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._waiting = 0
        # Checked when the address is unknown, so that both answers take the same time.
        self._decoy = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The argon2id hash in PHC format."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password fits; with ``stored=None`` the same work is done and the answer is no."""
        fits = await self._run(lambda: self._fits(stored or self._decoy, password))
        return fits and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads go once their work is done."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fits(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise Unavailable("Too many people are signing in at this moment.", code="sign_in_busy")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
