"""How long a file may take to arrive: longer for a larger one, and never as long as its sender likes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmline.kernel.errors import Invalid
from warmline.web import uploads
from warmline.web.uploads import Upload

SCOPE = {"type": "http", "headers": [(b"x-file-name", b"a.bin")]}


class Sender:
    """Sends its pieces; before each but the first one it rests."""

    def __init__(self, pieces: int, size: int, rest_s: float) -> None:
        self.left, self.size, self.rest_s = pieces, size, rest_s
        self.sent = 0

    async def __call__(self) -> dict[str, Any]:
        if self.sent:
            await asyncio.sleep(self.rest_s)
        self.left -= 1
        self.sent += self.size
        return {"type": "http.request", "body": bytes(self.size), "more_body": self.left > 0}


async def arrived(sender: Sender) -> int:
    """The bytes of the whole file."""
    return sum([len(piece) async for piece in Upload(SCOPE, sender, limit=10**9).chunks()])


async def test_whoever_sends_byte_by_byte_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PATIENCE_S", 0.3)
    sender = Sender(pieces=1_000_000, size=1, rest_s=0.01)
    with pytest.raises(Invalid, match="in time"):
        await arrived(sender)
    assert sender.left > 0


async def test_a_large_file_may_take_longer_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PATIENCE_S", 1.0)
    # A piece stands for half a minute's worth; together they take more than the patience.
    sender = Sender(pieces=30, size=uploads._LEAST_BYTES_PER_S * 30, rest_s=0.05)
    assert await arrived(sender) == 30 * sender.size
