"""The last case: what was logged meanwhile holds no secret and nothing that people said."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Self

from warmline.conformance.case import Tried
from warmline.platform.log import set_up_logging

_SAID = (
    "Where is my lamp?",
    "said while waiting",
    "one last thing",
    "word300",
    "I go on here.",
    "Are you still there?",
)
_SHORTEST = 8


class Listener:
    """Reads everything that this process logs.  For a process that does nothing else: logging is set up anew."""

    def __init__(self) -> None:
        self._written = io.StringIO()

    @classmethod
    @contextlib.contextmanager
    def listening(cls) -> Iterator[Self]:
        """Log everything, debugging included, to where only the kit reads it."""
        listener = cls()
        set_up_logging(level="debug", format="json", stream=listener._written)
        yield listener

    @property
    def text(self) -> str:
        """All lines so far."""
        return self._written.getvalue()

    def fault(self, tried: Tried) -> str:
        """What was given away, "" for nothing."""
        form = tried.stand.node.connections.kinds[tried.rig.key].form
        secrets = [str(tried.rig.settings.get(one.name) or "") for one in form if one.secret]
        for value in [*secrets, *_SAID]:
            if len(value) >= _SHORTEST and value in self.text:
                kind = "a secret of the connection" if value in secrets else f"“{value}”, which somebody said,"
                return f"{kind} stands in the log"
        return "" if self.text else "nothing was logged, so this proves nothing"
