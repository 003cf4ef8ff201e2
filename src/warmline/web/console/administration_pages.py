"""Every page of the administrator, for ``create_console``."""

from __future__ import annotations

from warmline.web.console.connections import CONNECTIONS
from warmline.web.console.connections_keys import CONNECTION_KEYS
from warmline.web.console.parked import PARKED

ADMINISTRATION = (*CONNECTIONS, *CONNECTION_KEYS, *PARKED)
