"""What the pages of the console are given: the composition root's own, in a file of its own since it grows with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmline.handover.diagnostics import Reporter
from warmline.handover.preview import Previews
from warmline.simulators.registry import SIMULATORS
from warmline.web.console.administration import Administration
from warmline.web.console.desk_surface import DeskServices

if TYPE_CHECKING:
    from warmline.app import Node
    from warmline.conversations.listing import Listing
    from warmline.handover.parked import Parked


def administration_of(node: Node, listing: Listing, parked: Parked) -> Administration:
    """For the administrator's pages."""
    return Administration(
        connections=node.connections,
        widgets=node.widgets,
        bots=node.bots,
        listing=listing,
        parked=parked,
        ladders=node.ladders,
        deadlines=node.deadlines,
        reporter=Reporter(node.journal, node.clock, node.connections),
        previews=Previews(node.journal, node.connections, node.files_out),
        simulators={name: one.port for name, one in SIMULATORS.items()},
    )


def desk_services_of(node: Node, listing: Listing, parked: Parked) -> DeskServices:
    """For our own desk, and the pages of conversations."""
    return DeskServices(
        journal=node.journal,
        bus=node.bus,
        clock=node.clock,
        accounts=node.accounts,
        conversations=node.conversations,
        listing=listing,
        deskwork=node.deskwork,
        parked=parked,
        widgets=node.widgets,
        connections=node.connections,
        presence=node.presence,
        attachments=node.attachments,
        file_links=node.file_links,
    )
