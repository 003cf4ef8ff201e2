"""What the console needs of the rest of the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmline.accounts import access
from warmline.web.assets import Assets
from warmline.web.console.live import Live
from warmline.web.console.navigation import ENTRIES, Entry
from warmline.web.console.rendering import Renderer
from warmline.web.security import origin_of

if TYPE_CHECKING:
    from warmline.accounts.access import Principal
    from warmline.accounts.answers import Answers
    from warmline.accounts.api_keys import ApiKeys
    from warmline.accounts.service import Accounts
    from warmline.journal import Journal
    from warmline.kernel.clock import Clock

_HERE = Path(__file__).parent
ASSET_ROOTS: Mapping[str, Path] = {
    "console": _HERE / "static",
    "vendor": _HERE.parent / "static" / "vendor",
}


@dataclass(kw_only=True)
class ConsoleContext:
    """Services and settings, made by ``app.py``.

    ``first_run_code`` is asked for when the first member signs up; with an empty one whoever comes first is the
    administrator, which is right only where nobody else can reach the server.  ``services`` holds what pages of other
    domains need, by name; ``failing`` tells the connections that somebody has to look at; ``entries`` is the navigation.
    """

    accounts: Accounts
    answers: Answers
    api_keys: ApiKeys
    journal: Journal
    clock: Clock
    public_url: str
    first_run_code: str = ""
    services: Mapping[str, Any] = field(default_factory=dict)
    failing: Callable[[], Sequence[Any]] = tuple
    entries: tuple[Entry, ...] = ENTRIES
    live: Live = field(default_factory=Live)
    assets: Assets = field(default_factory=lambda: Assets(ASSET_ROOTS))

    def __post_init__(self) -> None:
        self.public_origin = origin_of(self.public_url)
        self.renderer = Renderer(self.assets)

    def alarms(self, who: Principal) -> Sequence[Any]:
        """Connections that fail, for those who can repair them."""
        return self.failing() if access.connections.may_write(who) else ()

    @property
    def is_secure(self) -> bool:
        """Whether people reach the console by https, so that cookies may insist on it."""
        return self.public_origin.startswith("https://")
