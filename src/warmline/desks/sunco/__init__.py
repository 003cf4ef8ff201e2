"""Zendesk's agents, by the switchboard of Sunshine Conversations."""

from __future__ import annotations

from warmline.desks.sunco.desk import SuncoDesk, sunco_kind

__all__ = ["SuncoDesk", "sunco_kind"]
