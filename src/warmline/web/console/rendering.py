"""Templates to HTML: one environment, everything escaped, the component macros at hand as ``ui``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from warmline.conversations.commands import MAX_TEXT
from warmline.kernel.clock import to_rfc3339
from warmline.web.assets import Assets
from warmline.web.console.forms import field_id

_TEMPLATES = Path(__file__).parent / "templates"
_MACROS = ("ui/controls.html", "ui/display.html", "ui/chat.html")


class Renderer:
    """Renders pages, and single macros for live fragments, so that both come from the same source."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.url
        self._environment.globals["message_limit"] = MAX_TEXT
        self._environment.filters["rfc3339"] = to_rfc3339
        self._environment.filters["when"] = _when
        self._environment.filters["field_id"] = field_id

    @cached_property
    def ui(self) -> SimpleNamespace:
        """The component macros by name.  Compiled when first used: that takes as long as starting everything else."""
        found = SimpleNamespace()
        for name in _MACROS:
            for macro, value in vars(self._environment.get_template(name).module).items():
                if not macro.startswith("_"):
                    setattr(found, macro, value)
        self._environment.globals["ui"] = found
        return found

    def render(self, template: str, **values: Any) -> str:
        """The page or fragment as HTML.  A name the template uses and nobody gave raises UndefinedError."""
        _ = self.ui
        return self._environment.get_template(template).render(**values)


def _when(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
