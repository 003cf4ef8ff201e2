"""The rigs by the names of their desks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from warmline.conformance.rig import Rig
from warmline.kernel.errors import NotFound

RIGS: Mapping[str, str] = {
    "customcrm": "CustomCrmRig",
    "builtin": "BuiltinRig",
    "dixa": "DixaRig",
    "kustomer": "KustomerRig",
    "salesforce": "SalesforceRig",
    "salesforce_legacy": "SalesforceLegacyRig",
    "freshchat": "FreshchatRig",
    "oracle": "OracleRig",
    "sunco": "SuncoRig",
    "gorgias": "GorgiasRig",
    "open": "OpenRig",
}
"""Desk → the class in its module below ``rigs``."""


def load_rig(desk: str) -> type[Rig]:
    """The rig of a desk.  Raises NotFound naming those that there are."""
    if desk not in RIGS:
        raise NotFound(f"There is no desk called “{desk}”. There are: {', '.join(RIGS)}.")
    rig: type[Rig] = getattr(importlib.import_module(f"warmline.conformance.rigs.{desk}"), RIGS[desk])
    return rig
