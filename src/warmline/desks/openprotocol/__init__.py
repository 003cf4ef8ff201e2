"""Any helpdesk or bot that speaks the open handover protocol (docs/protocol.md)."""

from __future__ import annotations

from warmline.desks.openprotocol.desk import open_kind

__all__ = ["open_kind"]
