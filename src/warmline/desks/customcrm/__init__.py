"""The desk of a company's own CRM, over the published widget-escalation wire."""

from __future__ import annotations

from warmline.desks.customcrm.desk import CustomCrmDesk, customcrm_kind

__all__ = ["CustomCrmDesk", "customcrm_kind"]
