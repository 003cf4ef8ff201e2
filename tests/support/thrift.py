"""What every node of a test process would make again from the same files, made once.

A node compiles its templates and packs its files when it starts: a third of a second that a server spends once in its
life, and a test process would spend for every test.  What comes out is the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from types import CodeType
from unittest import mock

from jinja2.bccache import Bucket, BytecodeCache

from warmline.accounts.passwords import Passwords
from warmline.web import assets
from warmline.web.console.rendering import Renderer
from warmline.web.widget import assets as widget_assets


class _Compiled(BytecodeCache):
    """Compiled templates by name, file and content."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled before, if it was."""
        bucket.code = self._made.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was just compiled."""
        assert bucket.code is not None
        self._made[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()
_load_widget_files = cache(widget_assets.load_assets)
_load_file = cache(assets._load)
_make_renderer = Renderer.__init__


def _renderer(self: Renderer, files: assets.Assets) -> None:
    _make_renderer(self, files)
    self._environment.bytecode_cache = _COMPILED


class QuickPasswords(Passwords):
    """Hashes that cost next to nothing: tests of what a password opens do not look at its strength."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_kib=8)


@contextlib.contextmanager
def thrift() -> Iterator[None]:
    """Nodes that start inside the block share what they make."""
    with (
        mock.patch.object(Renderer, "__init__", _renderer),
        mock.patch.object(widget_assets, "load_assets", _load_widget_files),
        mock.patch.object(assets, "_load", _load_file),
        mock.patch("warmline.accounts.service.Passwords", QuickPasswords),
    ):
        yield
