"""Salesforce: Enhanced Chat, the retired Live Agent chat below it, and what both desks share."""

from __future__ import annotations

from warmline.desks.salesforce.desk import SalesforceDesk, salesforce_kind

__all__ = ["SalesforceDesk", "salesforce_kind"]
