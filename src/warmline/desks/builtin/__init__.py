"""Warmline's own desk: the agents of the console."""

from __future__ import annotations

from warmline.desks.builtin.desk import BuiltinDesk, builtin_kind

__all__ = ["BuiltinDesk", "builtin_kind"]
