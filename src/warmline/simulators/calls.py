"""What a simulator was asked: every call with its body and its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import msgspec

from warmline.simulators.changes import Changes
from warmline.simulators.script import Kind


class Call(msgspec.Struct, kw_only=True):
    """One call.  ``at`` is in milliseconds; ``status`` is None until answered, and 0 when the connection was cut."""

    operation: str
    at: int
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    status: int | None = None
    trouble: Kind | None = None
    note: str = ""
    """Why it was refused, for whoever reads along: more than the vendor says."""

    @property
    def json(self) -> Any:
        """The body, decoded; None when there was none.  Raises msgspec.DecodeError when it is no JSON."""
        return msgspec.json.decode(self.body) if self.body else None

    @property
    def done(self) -> bool:
        """Whether the vendor carried it out (the caller may not have heard so)."""
        return self.trouble not in {Kind.TOO_MANY, Kind.FAILING, Kind.SILENT} and (self.status or 0) < 300


class Calls(Sequence[Call]):
    """All calls in the order of arrival."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._calls: list[Call] = []

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Call]: ...
    def __getitem__(self, index: int | slice) -> Call | Sequence[Call]:
        return self._calls[index]

    def add(self, call: Call) -> None:
        """Keep one more."""
        self._calls.append(call)
        self._changes.tell()

    def of(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self._calls if call.operation == operation]

    async def wait(self, operation: str, count: int = 1, *, timeout_s: float = 5.0) -> list[Call]:
        """Wait until ``operation`` was called and answered ``count`` times; returns these calls.

        Raises TimeoutError after ``timeout_s`` seconds.
        """

        def answered() -> list[Call]:
            found = [call for call in self.of(operation) if call.status is not None]
            return found if len(found) >= count else []

        return await self._changes.until(answered, timeout_s=timeout_s)
