"""Every kind of desk there is, in the order in which an administrator is offered them."""

from __future__ import annotations

from warmline.desks.builtin import builtin_kind
from warmline.desks.builtin.desk import AgentsOnline
from warmline.desks.customcrm import customcrm_kind
from warmline.desks.dixa import dixa_kind
from warmline.desks.freshchat import freshchat_kind
from warmline.desks.gorgias import gorgias_kind
from warmline.desks.kustomer import kustomer_kind
from warmline.desks.openprotocol import open_kind
from warmline.desks.oracle import oracle_kind
from warmline.desks.salesforce import salesforce_kind
from warmline.desks.salesforce.legacy import salesforce_legacy_kind
from warmline.desks.sunco import sunco_kind
from warmline.handover.desk_kinds import DeskKind
from warmline.kernel.clock import Clock
from warmline.platform.http import Outgoing


def desk_kinds(*, outgoing: Outgoing, clock: Clock, agents_online: AgentsOnline) -> dict[str, DeskKind]:
    """Kinds by key.  ``agents_online`` tells the built-in desk who is there."""
    return {
        "customcrm": customcrm_kind(outgoing, clock),
        "dixa": dixa_kind(outgoing, clock),
        "kustomer": kustomer_kind(outgoing, clock),
        "salesforce": salesforce_kind(outgoing, clock),
        "salesforce_legacy": salesforce_legacy_kind(outgoing, clock),
        "freshchat": freshchat_kind(outgoing, clock),
        "oracle": oracle_kind(outgoing, clock),
        "sunco": sunco_kind(outgoing, clock),
        "gorgias": gorgias_kind(outgoing, clock),
        "open": open_kind(outgoing, clock),
        "builtin": builtin_kind(agents_online),
    }
