"""The list of all settings: one row each.  What reads them is ``settings``.

``warmline.default.toml`` and ``docs/settings.md`` are written from it, and a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    signing_secret,
    targets,
    text,
    yes_no,
)

PREFIX = "WARMLINE_"
_YEAR_S = 366 * 86_400


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
        "Alerts",
        (
            Setting(
                "alert_url",
                address("http", "https", example="https://hooks.example.com/services/...", path_allowed=True),
                "",
                "Address that is told once when a connection fails, and once when it is well again. Empty tells only the console.",
                secret=True,
            ),
            Setting(
                "alert_secret",
                signing_secret(),
                "",
                "Signs what is sent there, after Standard Webhooks. Empty sends it unsigned.",
                secret=True,
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
