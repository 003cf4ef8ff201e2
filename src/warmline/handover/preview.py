"""A payload filled from a real conversation, for whoever writes it."""

from __future__ import annotations

from warmline.conversations.kind import CONVERSATION
from warmline.handover.connections import Connections
from warmline.handover.outbound import FilesOut
from warmline.handover.payloads import check_payload, fill_payload, shown, values_of
from warmline.handover.requests import build_request, read_history
from warmline.handover.thread_store import new_thread
from warmline.journal.journal import Journal
from warmline.kernel.errors import Invalid


class Previews:
    """Fills payloads as the relay will."""

    def __init__(self, journal: Journal, connections: Connections, files: FilesOut) -> None:
        self._journal = journal
        self._connections = connections
        self._files = files

    async def fill(self, connection_id: str, text: str, conversation_id: str) -> str:
        """The payload as JSON, as a handover of that conversation would bring it to that connection's desk.

        Raises NotFound; Invalid for a desk that takes none; TypedJsonInvalid with line, column and field.
        """
        kind = self._connections.payload_kind(connection_id)
        if kind is None:
            raise Invalid("This desk takes no payload.", path="$.payload", code="no_payload")
        check_payload(kind, text)
        state, seq = await self._journal.snapshot(CONVERSATION, conversation_id)
        history = await read_history(self._journal, conversation_id, seq, self._files)
        thread = new_thread(
            kind="rung",
            conversation_id=conversation_id,
            handover_id="preview",
            rung=0,
            owner_epoch=state.owner_epoch,
            connection_id=connection_id,
            bot_id=state.bot_id,
            cursor=seq,
        )
        request = build_request(thread, state, history, links=(None, None))
        return shown(fill_payload(kind, text, values_of(request, request.details)))
