"""The settings: one table, read from the environment and an optional TOML file.

A setting ``port`` is the variable ``WARMLINE_PORT`` and the TOML key ``port``; the variable wins.  The table below is
the only list: ``warmline.default.toml`` and ``docs/settings.md`` are written from it, and a test compares them.
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
from warmline.platform.file_types import EXECUTABLE
from warmline.platform.setting_kinds import (
    Kind,
    address,
    choice,
    command,
    folder,
    media_types,
    networks,
    number,
    targets,
    text,
    yes_no,
)

PREFIX = "WARMLINE_"
FILE_NAME = "warmline.toml"
# Read elsewhere, and not by the server: which file to read, and what the tests use.
_EXEMPT = ("WARMLINE_CONFIG", "WARMLINE_CHROMIUM")
_EXEMPT_PREFIX = "WARMLINE_TEST_"
_YEAR_S = 366 * 86_400


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


@dataclass(frozen=True)
class Setting:
    """One row of the table.  ``default`` is written as in TOML; ``help`` is one sentence or two."""

    name: str
    kind: Kind
    default: str | int | bool | tuple[str, ...]
    help: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()


@dataclass(frozen=True)
class Group:
    """Settings that are read about together."""

    title: str
    settings: tuple[Setting, ...]


GROUPS: tuple[Group, ...] = (
    Group(
        "Where it runs",
        (
            Setting("data", folder(), "data", "Folder for the embedded store, the key file and uploads. Back it up."),
            Setting("host", text(), "127.0.0.1", "Address to listen on; 0.0.0.0 opens the server to the network."),
            Setting("port", number(1, 65_535), 8080, "Port to listen on."),
            Setting(
                "public_url",
                address("http", "https", example="https://chat.example.com"),
                "",
                "Address under which visitors and helpdesks reach this server. Empty means http://127.0.0.1 and the port.",
            ),
            Setting(
                "trusted_proxies",
                networks(),
                (),
                "Reverse proxies in front of this server, whose word about the visitor's address is believed.",
            ),
            Setting(
                "max_body_bytes",
                number(1_024, 1_073_741_824),
                1_048_576,
                "Largest request body that is read; a larger one is refused. In bytes.",
            ),
            Setting(
                "rate_limit_scale",
                number(1, 1_000_000),
                1,
                "Multiplies what one visitor, one address and one API key may do per second; raise it for load tests.",
            ),
        ),
    ),
    Group(
        "One process or many",
        (
            Setting(
                "database_url",
                address("postgresql", example="postgresql://warmline@db.internal/warmline", path_allowed=True),
                "",
                "PostgreSQL to keep everything in. Empty means an SQLite file in the data folder.",
                secret=True,
            ),
            Setting(
                "nats_url",
                address("nats", "tls", example="nats://nats.internal:4222"),
                "",
                "NATS server that connects several processes. Empty means one process, connected in memory.",
                secret=True,
            ),
            Setting(
                "nats_prefix", text(), "warmline", "First word of every NATS subject, if others use the server too."
            ),
            Setting(
                "role",
                choice("all", "web", "worker"),
                "all",
                "What this process does: answer requests (web), work in the background (worker), or both (all).",
            ),
        ),
    ),
    Group(
        "Outgoing calls",
        (
            Setting(
                "allow_private_targets",
                targets(),
                (),
                "Targets inside your network that connections may call: host:port or networks. All others are refused.",
            ),
            Setting(
                "allow_http_targets",
                yes_no(),
                default=False,
                help="Whether connections may call public addresses without TLS (http://).",
            ),
        ),
    ),
    Group(
        "People and conversations",
        (
            Setting("session_hours", number(1, 8_760), 12, "After so many hours without use a console sign-in ends."),
            Setting(
                "conversation_idle_minutes",
                number(1, 525_600),
                120,
                "After so many minutes without a word a conversation with the bot is closed.",
            ),
            Setting(
                "bot_answers_within_s",
                number(1, 3_600),
                30,
                "A bot that is silent for so many seconds has failed, and the conversation goes to a person.",
            ),
        ),
    ),
    Group(
        "Patience with a desk, unless its rung of the ladder says otherwise",
        (
            Setting(
                "answer_within_s",
                number(1, _YEAR_S),
                60,
                "Seconds until a desk that gives no sign at all is given up for the next one.",
            ),
            Setting(
                "connect_within_s",
                number(1, _YEAR_S),
                900,
                "Seconds until a desk where nobody has joined is given up for the next one.",
            ),
            Setting(
                "idle_after_s",
                number(1, _YEAR_S),
                7_200,
                "Seconds of silence after which a conversation with an agent goes back to the bot.",
            ),
            Setting(
                "lost_after_s",
                number(1, _YEAR_S),
                300,
                "Seconds without a delivery to a connected desk after which it counts as lost.",
            ),
        ),
    ),
    Group(
        "Files",
        (
            Setting(
                "max_file_bytes",
                number(1_024, 1_073_741_824),
                20_000_000,
                "Largest file that a visitor or an agent may send. In bytes.",
            ),
            Setting(
                "allowed_file_types",
                media_types(),
                (),
                "If set, only these kinds of files are accepted. What a file is, is told from its content.",
            ),
            Setting(
                "refused_file_types",
                media_types(),
                (EXECUTABLE,),
                "Kinds of files that are never accepted. application/x-executable stands for everything a system runs.",
            ),
            Setting(
                "file_link_days",
                number(1, 365),
                7,
                "For so many days a link to a file works that was sent to a helpdesk.",
            ),
            Setting(
                "scan_command",
                command(),
                "",
                "Program that checks every file, given its path: exit code 0 lets it in, 1 refuses it.",
            ),
            Setting(
                "scan_within_s",
                number(1, 600),
                30,
                "Seconds that the check of a file may take; after that the file is refused.",
            ),
            Setting(
                "blobs_url",
                address("s3", example="s3://bucket or s3://bucket/folder", path_allowed=True),
                "",
                "Bucket of an S3-compatible store to keep files in. Empty means a folder below the data folder.",
            ),
            Setting(
                "blobs_endpoint",
                address("http", "https", example="https://s3.eu-central-1.amazonaws.com"),
                "",
                "Address of that store.",
            ),
            Setting("blobs_region", text(), "us-east-1", "Region that requests to that store are signed for."),
            Setting("blobs_key_id", text(), "", "Id of the access key for that store."),
            Setting("blobs_secret", text(), "", "Secret of that access key.", secret=True),
        ),
    ),
    Group(
        "Logs",
        (
            Setting("log_level", choice("debug", "info", "warning", "error"), "info", "Least severity that is logged."),
            Setting(
                "log_format",
                choice("auto", "text", "json"),
                "auto",
                "One JSON object per line, or text for people. auto means text on a terminal, else json.",
            ),
        ),
    ),
)

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
    """``url`` with what stands behind ``user:`` or ``password=`` masked; a secret that is no address at all."""
    if url and "://" not in url:
        return "***"
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", re.sub(r"(//[^/?#:@]*:)[^/?#@]*@", r"\1***@", url))
