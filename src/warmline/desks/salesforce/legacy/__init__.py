"""Salesforce's retired Live Agent chat, by its Chat REST API."""

from __future__ import annotations

from warmline.desks.salesforce.legacy.desk import LiveAgentDesk, salesforce_legacy_kind

__all__ = ["LiveAgentDesk", "salesforce_legacy_kind"]
