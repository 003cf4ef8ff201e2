"""Dixa, by its generic API messaging channel."""

from __future__ import annotations

from warmline.desks.dixa.desk import DixaDesk, dixa_kind

__all__ = ["DixaDesk", "dixa_kind"]
