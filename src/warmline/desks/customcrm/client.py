"""Vendor words only: the desk's name, and the one answer of a CRM that is read."""

from __future__ import annotations

import msgspec

from warmline.platform.http import Reply

DESK = "customcrm"


class _TeamReply(msgspec.Struct):
    # Strict: 1, "true" and null are not an answer.
    is_online: bool = msgspec.field(name="isOnline")


_TEAM = msgspec.json.Decoder(_TeamReply)


def read_team_online(reply: Reply) -> bool | None:
    """The answer to isTeamOnline; None for anything but ``{"isOnline": <boolean>}``."""
    try:
        return _TEAM.decode(reply.body).is_online
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
