"""Every page of the administrator, for ``create_console``."""

from __future__ import annotations

from warmline.web.console.bots import BOTS
from warmline.web.console.connections import CONNECTIONS
from warmline.web.console.connections_help import CONNECTIONS_HELP
from warmline.web.console.connections_keys import CONNECTION_KEYS
from warmline.web.console.parked import PARKED
from warmline.web.console.widgets import WIDGETS

ADMINISTRATION = (*CONNECTIONS, *CONNECTION_KEYS, *CONNECTIONS_HELP, *PARKED, *WIDGETS, *BOTS)
