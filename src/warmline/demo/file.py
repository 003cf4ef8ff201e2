"""``demo.json`` in the data folder: what a script needs to drive the demo, and what the next start finds again."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE = "demo.json"


class DemoDesk(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated helpdesk: ``url`` is where its agent works, ``kind`` its desk's key."""

    kind: str
    url: str
    connection_id: str

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self.url.rsplit(":", 1)[1])


class DemoFile(msgspec.Struct, kw_only=True):
    """The demo's addresses and keys; readable by its owner only.

    ``desks`` are the simulated helpdesks of this start, ``desks_before`` those that only earlier ones had.
    """

    base_url: str
    widget_id: str
    bot_id: str
    connection_id: str
    desk_connection_id: str
    api_key: str
    v1_api_key: str
    crm_url: str
    console_email: str
    console_password: str
    signing_secret: str
    desks: tuple[DemoDesk, ...] = ()
    desks_before: tuple[DemoDesk, ...] = ()

    @property
    def crm_port(self) -> int:
        """Where the sample CRM listens, on 127.0.0.1."""
        return int(self.crm_url.rsplit(":", 1)[1])

    @property
    def every_desk(self) -> dict[str, DemoDesk]:
        """All helpdesks that this demo ever had, by kind."""
        return {one.kind: one for one in (*self.desks_before, *self.desks)}


def read(path: Path) -> DemoFile | None:
    """What an earlier start wrote; None when there is none, or when it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoFile)
    except (OSError, msgspec.MsgspecError):
        return None


def write(path: Path, demo: DemoFile) -> None:
    """Write it at once, or not at all."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(demo), indent=2) + b"\n")
    fresh.replace(path)
