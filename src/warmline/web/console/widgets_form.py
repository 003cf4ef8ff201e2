"""A widget as it stands in the form: text fields, one origin per line, and the rungs of the ladder in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from warmline.conversations.widgets import LadderStep, Look, Widget, check_origin
from warmline.handover.ladder import Deadlines
from warmline.kernel.clock import MINUTE, SECOND
from warmline.kernel.errors import Invalid
from warmline.web.console.forms import Form

MOST_RUNGS = 12
"""A form has at most 200 fields; more rungs than this keep nobody waiting in a chat."""

_LANGUAGE_LENGTH = 35


class Deadline(msgspec.Struct, frozen=True):
    """One deadline of a rung as the form asks for it; ``unit`` is its length in seconds."""

    name: str
    label: str
    unit: int
    unit_name: str


_MINUTE_S = MINUTE // SECOND
DEADLINES = (
    Deadline("answer_within_s", "No sign from the desk", 1, "seconds"),
    Deadline("connect_within_s", "Nobody joined", _MINUTE_S, "minutes"),
    Deadline("lost_after_s", "Connected, but nothing gets through", _MINUTE_S, "minutes"),
    Deadline("idle_after_s", "Connected, and nobody writes", _MINUTE_S, "minutes"),
)
_LOOK = ("title", "subtitle", "bot_name", "language", "accent")
_FILES = "attachments"


class RungDraft(msgspec.Struct, kw_only=True):
    """One rung as typed; ``deadlines`` by name, in the units of ``DEADLINES``.

    ``preview`` is its payload filled from the conversation ``preview_of``, ``preview_failure`` why it could not be.
    """

    connection_id: str = ""
    text: str = ""
    escalate_to: str = ""
    payload: str = ""
    deadlines: dict[str, str] = msgspec.field(default_factory=dict)
    focus: str = ""
    preview_of: str = ""
    preview: str = ""
    preview_failure: str = ""


class WidgetDraft(msgspec.Struct, kw_only=True):
    """What the form shows, typed or stored."""

    name: str = ""
    bot_id: str = ""
    look: dict[str, str] = msgspec.field(default_factory=dict)
    origins: str = ""
    rungs: list[RungDraft] = msgspec.field(default_factory=list)


def draft_of(widget: Widget) -> WidgetDraft:
    """The stored widget, to be changed."""
    return WidgetDraft(
        name=widget.name,
        bot_id=widget.bot_id,
        look={name: getattr(widget.look, name) for name in _LOOK}
        | {_FILES: "yes" if widget.look.attachments else "no"},
        origins="\n".join(widget.allowed_origins),
        rungs=[_rung_of(step) for step in widget.ladder],
    )


def read_draft(form: Form) -> WidgetDraft:
    """What was typed, as it was typed."""
    rungs: list[RungDraft] = []
    while len(rungs) < MOST_RUNGS and form.texts(f"ladder[{len(rungs)}].connection_id"):
        base = f"ladder[{len(rungs)}]"
        rungs.append(
            RungDraft(
                connection_id=form.text(f"{base}.connection_id"),
                text=form.text(f"{base}.text"),
                escalate_to=form.text(f"{base}.escalate_to"),
                payload=form.text(f"{base}.payload"),
                preview_of=form.text(f"{base}.preview_of"),
                deadlines={one.name: form.text(f"{base}.{one.name}") for one in DEADLINES},
            )
        )
    return WidgetDraft(
        name=form.text("name"),
        bot_id=form.text("bot_id"),
        look={name: form.text(f"look.{name}") for name in (*_LOOK, _FILES)},
        origins=form.text("origins"),
        rungs=rungs,
    )


def change_ladder(draft: WidgetDraft, action: str, connection_ids: Sequence[str]) -> None:
    """Do what one of the ladder's buttons says: ``add``, ``up-2``, ``down-0``, ``remove-1``; anything else is ignored."""
    rungs = draft.rungs
    word, _, number = action.partition("-")
    if word == "add" and len(rungs) < MOST_RUNGS:
        used = {rung.connection_id for rung in rungs}
        free = [one for one in connection_ids if one not in used]
        rungs.append(RungDraft(connection_id=next(iter([*free, *connection_ids]), ""), focus="connection"))
        return
    if not (number.isascii() and number.isdigit() and int(number) < len(rungs)):
        return
    place = int(number)
    if word == "remove":
        del rungs[place]
        if rungs:
            rungs[min(place, len(rungs) - 1)].focus = "remove"
        return
    target = place + {"up": -1, "down": 1}.get(word, 0)
    if 0 <= target < len(rungs) and target != place:
        rungs[place], rungs[target] = rungs[target], rungs[place]
        # The button that was pressed moves along, so that pressing again moves the rung on.
        at_end = target == (0 if word == "up" else len(rungs) - 1)
        rungs[target].focus = {"up": "down", "down": "up"}[word] if at_end else word


def widget_from(draft: WidgetDraft, known: Widget, form: Form) -> tuple[Widget, Form]:
    """The widget that the draft describes, and the form with a sentence for everything that was unreadable."""
    origins, form = _origins(draft.origins, form)
    steps = []
    for place, rung in enumerate(draft.rungs):
        deadlines: dict[str, Any] = {}
        for one in DEADLINES:
            try:
                deadlines[one.name] = _seconds(rung.deadlines.get(one.name, ""), one, f"$.ladder[{place}].{one.name}")
            except Invalid as error:
                form = form.with_error(error)
        steps.append(
            LadderStep(
                connection_id=rung.connection_id,
                text=rung.text.strip(),
                escalate_to=rung.escalate_to.strip() or None,
                payload=rung.payload.strip(),
                **deadlines,
            )
        )
    look = {name: " ".join(text.split()) for name, text in draft.look.items()}
    if len(look["language"]) > _LANGUAGE_LENGTH:
        form = form.with_error(Invalid("A language is written like en or de-AT.", path="$.look.language"))
    widget = msgspec.structs.replace(
        known,
        name=draft.name,
        bot_id=draft.bot_id,
        allowed_origins=origins,
        ladder=tuple(steps),
        look=Look(**{name: look[name] for name in _LOOK}, attachments=look.get(_FILES) != "no"),
    )
    return widget, form


def defaults(deadlines: Deadlines) -> dict[str, str]:
    """The installation's deadlines in the units of ``DEADLINES``."""
    return {one.name: _in_units(getattr(deadlines, one.name), one) for one in DEADLINES}


def _origins(text: str, form: Form) -> tuple[tuple[str, ...], Form]:
    found, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(check_origin(line, "$.origins"))
        except Invalid as error:
            wrong.append(f"Line {number} (“{line.strip()[:60]}”): {error.detail}")
    if wrong:
        form = form.with_error(Invalid(" ".join(wrong), path="$.origins"))
    return tuple(found), form


def _rung_of(step: LadderStep) -> RungDraft:
    deadlines: dict[str, Any] = {one.name: getattr(step, one.name) for one in DEADLINES}
    return RungDraft(
        connection_id=step.connection_id,
        text=step.text,
        escalate_to=step.escalate_to or "",
        payload=step.payload,
        deadlines={
            one.name: "" if deadlines[one.name] is None else _in_units(deadlines[one.name], one) for one in DEADLINES
        },
    )


def _in_units(seconds: float, one: Deadline) -> str:
    return f"{seconds / one.unit:.10g}"


def _seconds(text: str, one: Deadline, path: str) -> float | None:
    if not text.strip():
        return None
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Invalid(f"Write a number of {one.unit_name}.", path=path)
    return round(number * one.unit, 3)
