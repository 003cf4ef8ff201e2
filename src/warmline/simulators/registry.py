"""The simulators by the names the command line knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from warmline.simulators.base import Simulator


def _dixa() -> type[Simulator]:
    from warmline.simulators.dixa import DixaSimulator  # noqa: PLC0415 - only the one that is wanted

    return DixaSimulator


def _kustomer() -> type[Simulator]:
    from warmline.simulators.kustomer import KustomerSimulator  # noqa: PLC0415 - only the one that is wanted

    return KustomerSimulator


def _freshchat() -> type[Simulator]:
    from warmline.simulators.freshchat import FreshchatSimulator  # noqa: PLC0415 - only the one that is wanted

    return FreshchatSimulator


def _oracle() -> type[Simulator]:
    from warmline.simulators.oracle import OracleSimulator  # noqa: PLC0415 - only the one that is wanted

    return OracleSimulator


def _salesforce() -> type[Simulator]:
    from warmline.simulators.salesforce import SalesforceSimulator  # noqa: PLC0415 - only the one that is wanted

    return SalesforceSimulator


def _salesforce_legacy() -> type[Simulator]:
    from warmline.simulators.salesforce_legacy import (  # noqa: PLC0415 - only the one that is wanted
        SalesforceLegacySimulator,
    )

    return SalesforceLegacySimulator


def _gorgias() -> type[Simulator]:
    from warmline.simulators.gorgias import GorgiasSimulator  # noqa: PLC0415 - only the one that is wanted

    return GorgiasSimulator


def _sunco() -> type[Simulator]:
    from warmline.simulators.sunco import SuncoSimulator  # noqa: PLC0415 - only the one that is wanted

    return SuncoSimulator


class Listed(msgspec.Struct, frozen=True):
    """A simulator before it is loaded.  ``port`` is where it runs unless told otherwise."""

    title: str
    what: str
    port: int
    load: Callable[[], type[Simulator]]


SIMULATORS: Mapping[str, Listed] = {
    "dixa": Listed("Dixa", "Generic API messaging channel, agents, signed webhooks", 8101, _dixa),
    "kustomer": Listed("Kustomer", "Chat API v2.1 with handoff, agents, signed webhooks", 8102, _kustomer),
    "freshchat": Listed("Freshchat", "Conversations API v2, agents, webhooks signed with RSA", 8103, _freshchat),
    "oracle": Listed("Oracle B2C Service", "Chat with a long poll per session, queue position, agents", 8104, _oracle),
    "sunco": Listed("Sunshine Conversations", "API v2, switchboard, agents of Zendesk, webhooks", 8105, _sunco),
    "gorgias": Listed("Gorgias", "Tickets with messages, agents, HTTP integrations as webhooks", 8106, _gorgias),
    "salesforce": Listed("Salesforce", "Enhanced Chat (MIAW v2), agents, event stream", 8107, _salesforce),
    "salesforce_legacy": Listed(
        "Salesforce Live Agent (retired)",
        "Chat REST API with a long poll per session, numbered POSTs, agents",
        8108,
        _salesforce_legacy,
    ),
}
