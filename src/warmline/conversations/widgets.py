"""Widgets: where on the web visitors arrive, which bot greets them, and the ladder to people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from warmline.accounts import audit
from warmline.conversations.tables import widgets
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.kernel.errors import Invalid, NotFound
from warmline.kernel.ids import uuid7
from warmline.platform.bus import Bus

CHANGED = "widgets.changed"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


class LadderStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One configured rung.  Deadlines in seconds; None takes the installation's setting.

    ``payload`` is JSON as it was typed, placeholders and comments included; what may stand in it is the desk's business.
    """

    connection_id: str
    text: str = ""
    escalate_to: str | None = None
    payload: str = ""
    answer_within_s: float | None = None
    connect_within_s: float | None = None
    idle_after_s: float | None = None
    lost_after_s: float | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the widget shows of its owner."""

    title: str = "Chat with us"
    subtitle: str = ""
    bot_name: str = "Assistant"
    language: str = ""
    accent: str = ""
    attachments: bool = False
    """Whether visitors may send files.  Not where nothing is stored of it: such a widget is older than files are."""


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """One widget as stored.  ``language`` in the look is empty when the page's language decides."""

    id: str
    name: str
    bot_id: str
    allowed_origins: tuple[str, ...] = ()
    ladder: tuple[LadderStep, ...] = ()
    look: Look = Look(attachments=True)
    created_at: int = 0
    updated_at: int = 0
    disabled_at: int | None = None


def check_widget(widget: Widget) -> Widget:
    """The widget in canonical form.  Raises Invalid naming the first field that is wrong."""
    for fault in faults_of(widget):
        raise fault
    origins = tuple(dict.fromkeys(check_origin(text, "$.allowed_origins") for text in widget.allowed_origins))
    return replace(widget, name=widget.name.strip(), allowed_origins=origins)


def faults_of(widget: Widget) -> Iterator[Invalid]:
    """Everything that is wrong with a widget, each naming its field."""
    if not 1 <= len(widget.name.strip()) <= 200:
        yield Invalid("A widget needs a name of 1 to 200 characters.", path="$.name")
    for i, text in enumerate(widget.allowed_origins):
        try:
            check_origin(text, f"$.allowed_origins[{i}]")
        except Invalid as fault:
            yield fault
    if widget.look.accent and not _COLOUR.fullmatch(widget.look.accent):
        yield Invalid("A colour is written like #1f6f5c.", path="$.look.accent")
    for key in ("title", "subtitle", "bot_name"):
        if len(getattr(widget.look, key)) > 120:
            yield Invalid("At most 120 characters.", path=f"$.look.{key}")
    for i, step in enumerate(widget.ladder):
        yield from _faults_of_step(step, i)


def _faults_of_step(step: LadderStep, index: int) -> Iterator[Invalid]:
    if len(step.text) > 500:
        yield Invalid("At most 500 characters.", path=f"$.ladder[{index}].text")
    for key in ("answer_within_s", "connect_within_s", "idle_after_s", "lost_after_s"):
        value = getattr(step, key)
        if value is not None and not 0.1 <= value <= 30 * 86_400:
            yield Invalid("A deadline lies between 0.1 seconds and 30 days.", path=f"$.ladder[{index}].{key}")


def check_origin(text: str, path: str) -> str:
    """The origin in canonical form.  Raises Invalid with ``path``."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as bad:
        raise Invalid("This is not an origin like https://shop.example.", path=path) from bad
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise Invalid("This is not an origin like https://shop.example.", path=path)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise Invalid("An origin has no path: only scheme, host and port.", path=path)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    standard = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != standard else "")


def is_widget(conn: sa.Connection, widget_id: str) -> bool:
    """Whether there is a widget of this id, switched off or not."""
    return conn.execute(sa.select(widgets.c.id).where(widgets.c.id == widget_id)).first() is not None


class Widgets:
    """Stored widgets, cached in memory; every node drops its cache when one changes."""

    def __init__(self, journal: Journal, clock: Clock, bus: Bus) -> None:
        self._journal = journal
        self._clock = clock
        self._bus = bus
        self._cache: dict[str, Widget] = {}

    async def start(self) -> None:
        """Listen for changes made on other nodes."""
        await self._bus.subscribe(CHANGED, lambda _subject, _data: self._cache.clear())

    async def get(self, widget_id: str) -> Widget:
        """The widget.  Raises NotFound when there is none, or it is switched off."""
        widget = self._cache.get(widget_id)
        if widget is None:
            widget = await self.read(widget_id)
            if len(self._cache) > 1_000:
                self._cache.clear()
            self._cache[widget_id] = widget
        if widget.disabled_at is not None:
            raise NotFound("There is no such widget.")
        return widget

    async def read(self, widget_id: str) -> Widget:
        """The widget as stored now, switched off or not.  Raises NotFound."""
        row = await self._journal.read(
            lambda conn: conn.execute(sa.select(widgets).where(widgets.c.id == widget_id)).first()
        )
        if row is None:
            raise NotFound("There is no such widget.")
        return _widget(row)

    async def list(self, *, search: str = "", after: str = "", limit: int = 50) -> Sequence[Widget]:
        """Widgets by id after ``after``, at most ``limit``."""
        query = sa.select(widgets).where(widgets.c.id > after).order_by(widgets.c.id).limit(limit)
        if search:
            query = query.where(widgets.c.name.icontains(search, autoescape=True))
        rows = await self._journal.read(lambda conn: conn.execute(query).all())
        return [_widget(row) for row in rows]

    async def create(self, widget: Widget, *, actor: str = "system") -> Widget:
        """Store a new widget under a fresh id.  Raises Invalid."""
        now = self._clock.now()
        widget = replace(check_widget(widget), id=uuid7(), created_at=now, updated_at=now)

        def write(conn: sa.Connection) -> None:
            conn.execute(sa.insert(widgets).values(**_row(widget)))
            self._record(conn, actor, "widget.created", widget)

        await self._journal.write(write)
        return widget

    async def update(self, widget: Widget, *, actor: str = "system") -> Widget:
        """Store the widget's new form.  Raises Invalid or NotFound."""
        widget = replace(check_widget(widget), updated_at=self._clock.now())

        def write(conn: sa.Connection) -> None:
            known = conn.execute(sa.select(widgets.c.disabled_at).where(widgets.c.id == widget.id)).first()
            if known is None:
                raise NotFound("There is no such widget.")
            conn.execute(sa.update(widgets).where(widgets.c.id == widget.id).values(**_row(widget)))
            self._record(conn, actor, _action(known.disabled_at, widget.disabled_at), widget)

        await self._journal.write(write)
        self._cache.clear()
        await self._bus.publish(CHANGED, widget.id.encode())
        return widget

    def _record(self, conn: sa.Connection, actor: str, action: str, widget: Widget) -> None:
        audit.record(
            conn,
            node=self._journal.node_id,
            at=self._clock.now(),
            actor=actor,
            action=action,
            object_kind="widget",
            object_id=widget.id,
        )


def _action(before: int | None, after: int | None) -> str:
    if (before is None) == (after is None):
        return "widget.updated"
    return "widget.enabled" if after is None else "widget.disabled"


def _row(widget: Widget) -> dict[str, object]:
    return {
        "id": widget.id,
        "name": widget.name,
        "bot_id": widget.bot_id,
        "allowed_origins": msgspec.json.encode(widget.allowed_origins).decode(),
        "ladder": msgspec.json.encode(widget.ladder).decode(),
        "look": msgspec.json.encode(widget.look).decode(),
        "created_at": widget.created_at,
        "updated_at": widget.updated_at,
        "disabled_at": widget.disabled_at,
    }


def _widget(row: sa.Row[tuple[object, ...]]) -> Widget:
    values = row._mapping
    return Widget(
        id=values["id"],
        name=values["name"],
        bot_id=values["bot_id"],
        allowed_origins=msgspec.json.decode(values["allowed_origins"], type=tuple[str, ...]),
        ladder=msgspec.json.decode(values["ladder"], type=tuple[LadderStep, ...]),
        look=msgspec.json.decode(values["look"], type=Look),
        created_at=values["created_at"],
        updated_at=values["updated_at"],
        disabled_at=values["disabled_at"],
    )
