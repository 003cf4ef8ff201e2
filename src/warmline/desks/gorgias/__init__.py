"""Gorgias, by tickets: asynchronous, and it says so."""

from __future__ import annotations

from warmline.desks.gorgias.desk import GorgiasDesk, gorgias_kind

__all__ = ["GorgiasDesk", "gorgias_kind"]
