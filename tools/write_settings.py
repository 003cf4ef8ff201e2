"""Write warmline.default.toml and docs/settings.md from the table in warmline.platform.settings."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from warmline.platform.settings import GROUPS, Setting

ROOT = Path(__file__).resolve().parents[1]


def toml_value(setting: Setting) -> str:
    """The default as TOML."""
    return json.dumps(list(setting.default) if isinstance(setting.default, tuple) else setting.default)


def default_toml() -> str:
    """Every setting, commented out, with its default."""
    lines = [
        "# Every setting of Warmline with its default.  Copy this file to warmline.toml in the folder where you start",
        "# warmline (or name another file in WARMLINE_CONFIG) and remove the # in front of what you want to change.",
        "# An environment variable WARMLINE_<NAME> wins over this file.  `warmline doctor` shows what is in effect.",
    ]
    for group in GROUPS:
        lines += ["", "", f"# ---- {group.title}"]
        for setting in group.settings:
            lines += ["", *(f"# {line}" for line in textwrap.wrap(f"{setting.help} ({setting.kind.name})", 110))]
            lines.append(f"#{setting.name} = {toml_value(setting)}")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The table for people."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable, or a key in `warmline.toml` (in the folder where `warmline` is started,",
        "or the file that `WARMLINE_CONFIG` names). The variable wins. An unknown name or a bad value stops the start with",
        "a sentence that names it. `warmline doctor` prints what is in effect.",
        "",
        "This page is written from the code by `make docs`.",
    ]
    for group in GROUPS:
        lines += ["", f"## {group.title}", "", "| variable | key | default | what it decides |", "|---|---|---|---|"]
        for setting in group.settings:
            must = f"{setting.help} Must be {setting.kind.expected}."
            lines.append(f"| `{setting.variable}` | `{setting.name}` | `{toml_value(setting)}` | {must} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "warmline.default.toml").write_text(default_toml())
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "settings.md").write_text(settings_page())
