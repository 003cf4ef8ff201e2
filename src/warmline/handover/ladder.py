"""The ladder of a conversation: which connections are tried, in which order, with which deadlines and words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from warmline.conversations.events import Rung
from warmline.conversations.widgets import LadderStep, Widgets
from warmline.handover.connection_forms import WAITING_TEXT
from warmline.handover.connections import Connection, Connections
from warmline.handover.payloads import Payloads, check_payload
from warmline.kernel.errors import Invalid, NotFound
from warmline.platform.typed_json import TypedJsonInvalid

_MS = 1_000


class Deadlines:
    """The installation's default deadlines in seconds, used where a rung names none."""

    def __init__(
        self, *, answer_within_s: float, connect_within_s: float, idle_after_s: float, lost_after_s: float
    ) -> None:
        self.answer_within_s = answer_within_s
        self.connect_within_s = connect_within_s
        self.idle_after_s = idle_after_s
        self.lost_after_s = lost_after_s


class Ladders:
    """Builds ladders from a widget's configuration and the connections as they are now."""

    def __init__(self, widgets: Widgets, connections: Connections, deadlines: Deadlines, payloads: Payloads) -> None:
        self._payloads = payloads
        self._widgets = widgets
        self._connections = connections
        self._deadlines = deadlines

    async def for_conversation(self, widget_id: str | None, bot_id: str) -> tuple[Rung, ...]:
        """The ladder of a widget, else one rung per connection that serves the bot.  Rungs that are off are left out."""
        if widget_id is None:
            found = [c for c in self._connections.list(bot_id=bot_id) if c.enabled]
            return tuple([await self._rung(LadderStep(connection_id=c.id), c) for c in found])
        try:
            widget = await self._widgets.read(widget_id)
        except NotFound:
            return ()
        rungs = []
        for step in widget.ladder:
            try:
                connection = self._connections.get(step.connection_id)
            except NotFound:
                continue
            if connection.enabled:
                rungs.append(await self._rung(step, connection))
        return tuple(rungs)

    async def for_connection(self, connection_id: str) -> tuple[Rung, ...]:
        """The one-rung ladder of a CRM that brings its own front end."""
        connection = self._connections.get(connection_id)
        return (await self._rung(LadderStep(connection_id=connection_id), connection),)

    def faults_of(self, steps: Sequence[LadderStep]) -> Iterator[Invalid]:
        """What is wrong with the connections and payloads of a ladder, each naming its field below ``$.ladder``."""
        for place, step in enumerate(steps):
            connection = self._connections.find(step.connection_id)
            if connection is None:
                path = f"$.ladder[{place}].connection_id"
                yield Invalid("There is no such connection.", path=path, code="unknown_connection")
            elif step.payload.strip():
                yield from self._faults_of_payload(connection, step.payload, f"$.ladder[{place}].payload")

    def _faults_of_payload(self, connection: Connection, text: str, path: str) -> Iterator[Invalid]:
        kind = self._connections.kinds[connection.kind]
        if kind.payload is None:
            yield Invalid(f"{kind.manifest.title} takes no payload: leave this empty.", path=path, code="no_payload")
            return
        try:
            check_payload(kind.payload, text)
        except TypedJsonInvalid as error:
            where = error.fields["path"]
            # The field's own path would name a field of the payload where one of the form is expected.
            detail = error.detail if where == "$" else f"{error.detail} (field {where})"
            yield Invalid(detail, path=path, code="payload", line=error.line, column=error.column, field=where)

    async def _rung(self, step: LadderStep, connection: Connection) -> Rung:
        def ms(value: float | None, default: float) -> int:
            return round((default if value is None else value) * _MS)

        base = self._deadlines
        return Rung(
            connection_id=step.connection_id,
            desk=connection.kind,
            name=connection.name,
            text=step.text or str(connection.settings.get(WAITING_TEXT) or ""),
            escalate_to=step.escalate_to,
            payload=await self._payloads.keep(step.payload) if step.payload.strip() else "",
            answer_within=ms(step.answer_within_s, base.answer_within_s),
            connect_within=ms(step.connect_within_s, base.connect_within_s),
            idle_after=ms(step.idle_after_s, base.idle_after_s),
            lost_after=ms(step.lost_after_s, base.lost_after_s),
        )
