"""The settings: one table, read from the environment and an optional TOML file.

A setting ``port`` is the variable ``WARMLINE_PORT`` and the TOML key ``port``; the variable wins.  ``setting_table`` is
the only list of them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from warmline.kernel.errors import SettingsError
from warmline.platform.setting_table import GROUPS, PREFIX, Group, Setting

__all__ = ["GROUPS", "TABLE", "Group", "Setting", "Settings", "find_file", "load_settings", "redacted"]

FILE_NAME = "warmline.toml"
# Read elsewhere, and not by the server: which file to read, and what the tests use.
_EXEMPT = ("WARMLINE_CONFIG", "WARMLINE_CHROMIUM")
_EXEMPT_PREFIX = "WARMLINE_TEST_"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can decide.  Times are in the unit their name ends with."""

    data: Path
    host: str
    port: int
    public_url: str
    database_url: str
    nats_url: str
    nats_prefix: str
    role: Literal["all", "web", "worker"]
    allow_private_targets: tuple[str, ...]
    allow_http_targets: bool
    alert_url: str
    alert_secret: str
    trusted_proxies: tuple[str, ...]
    max_body_bytes: int
    rate_limit_scale: int
    session_hours: int
    conversation_idle_minutes: int
    answer_within_s: int
    connect_within_s: int
    idle_after_s: int
    lost_after_s: int
    bot_answers_within_s: int
    max_file_bytes: int
    allowed_file_types: tuple[str, ...]
    refused_file_types: tuple[str, ...]
    file_link_days: int
    scan_command: str
    scan_within_s: int
    blobs_url: str
    blobs_endpoint: str
    blobs_region: str
    blobs_key_id: str
    blobs_secret: str
    log_level: Literal["debug", "info", "warning", "error"]
    log_format: Literal["auto", "text", "json"]

    @property
    def store_url(self) -> str:
        """The address for Database.open: the PostgreSQL that was set, else the SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data / 'warmline.db'}"


TABLE: dict[str, Setting] = {setting.name: setting for group in GROUPS for setting in group.settings}


def load_settings(env: Mapping[str, str], file: Path | None) -> Settings:
    """The settings of ``env`` over those of the TOML ``file`` over the defaults.

    Raises SettingsError, whose detail is one sentence for the operator, for an unknown name or a bad value.
    """
    values: dict[str, Any] = {name: setting.kind.read(_as_toml(setting.default)) for name, setting in TABLE.items()}
    if file is not None:
        values |= _from_file(file)
    values |= _from_environment(env)
    values["public_url"] = values["public_url"] or f"http://127.0.0.1:{values['port']}"
    return Settings(**values)


def find_file(env: Mapping[str, str]) -> Path | None:
    """The TOML file to read: the one WARMLINE_CONFIG names, else ./warmline.toml if there is one.

    Raises SettingsError when the named file does not exist.
    """
    named = env.get("WARMLINE_CONFIG", "")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise SettingsError(f"WARMLINE_CONFIG names the file {named}, which does not exist.")
        return path
    return Path(FILE_NAME) if Path(FILE_NAME).is_file() else None


def redacted(settings: Settings) -> dict[str, str]:
    """Every setting as text that may be shown: passwords in addresses are masked."""
    shown = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        shown[field.name] = ", ".join(value) if isinstance(value, tuple) else str(value)
        if TABLE[field.name].secret:
            shown[field.name] = _without_password(shown[field.name])
    return shown


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    variables = {setting.variable: setting for setting in TABLE.values()}
    values = {}
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or variable in _EXEMPT or variable.startswith(_EXEMPT_PREFIX):
            continue
        if variable not in variables:
            raise SettingsError(f"There is no setting {variable}.{_nearest(variable, [*variables, *_EXEMPT])}")
        setting = variables[variable]
        # An empty variable is how shells and compose files say "not set".
        if env[variable].strip():
            values[setting.name] = _read(setting, env[variable], variable)
    return values


def _from_file(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} is not valid TOML: {error}.") from error
    for name in content:
        if name not in TABLE:
            raise SettingsError(f"There is no setting {name} (in {file}).{_nearest(name, list(TABLE))}")
    return {name: _read(TABLE[name], value, f"{name} (in {file})") for name, value in content.items()}


def _read(setting: Setting, value: Any, where: str) -> Any:
    try:
        return setting.kind.read(value)
    except (ValueError, TypeError):
        # A password must not end in a log only because another part of its address is wrong.
        shown = "what it holds" if setting.secret else f"{value!r}"
        raise SettingsError(f"The setting {where} cannot be {shown}. It must be {setting.kind.expected}.") from None


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else " docs/settings.md lists them all."


def _as_toml(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _without_password(url: str) -> str:
    """``url`` with what stands behind ``user:`` or ``password=`` masked; a secret that is no address at all.

    Of an address that is secret as a whole, because what it leads to asks for nothing else, the server is left.
    """
    if url and "://" not in url:
        return "***"
    if url.startswith(("http://", "https://")):
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}/***"
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", re.sub(r"(//[^/?#:@]*:)[^/?#@]*@", r"\1***@", url))
