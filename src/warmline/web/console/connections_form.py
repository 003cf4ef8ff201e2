"""A connection's form, drawn from what its kind of desk asks for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from warmline.handover.connection_checks import check_name
from warmline.handover.connection_forms import FieldKind, FormField
from warmline.handover.connections import Connection
from warmline.handover.desk_kinds import DeskKind
from warmline.web.console.forms import Form

WIRED = frozenset({"customcrm"})
"""Kinds whose own side calls us with a key over the published wire."""

YES = "yes"


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """One field as the page shows it.  ``value`` is text, or for a switch whether it is on."""

    name: str
    label: str
    help: str
    kind: FieldKind
    value: str | bool
    options: list[tuple[str, str]]
    required: bool
    secret: bool
    error: str


def draw(kind: DeskKind, form: Form, known: Connection | None = None) -> list[Drawn]:
    """The fields of a new connection, or of ``known``; what was submitted stands before what is stored."""
    return [_draw(field, form, known) for field in kind.form if not field.generated]


def read(kind: DeskKind, form: Form) -> dict[str, Any]:
    """The submitted settings, a switch that is off included (browsers do not send it)."""
    return {
        field.name: form.text(_name(field), "no" if field.kind is FieldKind.BOOLEAN else "")
        for field in kind.form
        if not field.generated
    }


def checked(kind: DeskKind, form: Form, known: Connection | None = None) -> Form:
    """The form with a sentence under every field that cannot be taken.  A secret left empty keeps its old value."""
    given = read(kind, form)
    asked = [
        field for field in kind.form if not field.generated and not (known and field.secret and not given[field.name])
    ]
    form = form.checked(
        lambda: check_name(form.text("name")),
        *(partial(field.parse, given[field.name], f"$.{_name(field)}") for field in asked),
    )
    if form.errors:
        return form
    values = {field.name: field.parse(given[field.name], "$") for field in asked if not field.secret}
    return form.checked(lambda: kind.check_settings(values))


def generated(kind: DeskKind) -> list[FormField]:
    """The fields whose values the server makes."""
    return [field for field in kind.form if field.generated]


def labels(kind: DeskKind, secrets: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Freshly made secrets as (name, label, value)."""
    return [(field.name, field.label, secrets[field.name]) for field in kind.form if field.name in secrets]


def _draw(field: FormField, form: Form, known: Connection | None) -> Drawn:
    name = _name(field)
    stored = field.default if known is None else known.settings.get(field.name, field.default)
    value: str | bool
    if field.kind is FieldKind.BOOLEAN:
        value = form.text(name) == YES if form.text("submitted") else stored is True
    else:
        value = form.text(name, "" if field.secret else _text(stored))
    return Drawn(
        name=name,
        label=field.label,
        help=field.help,
        kind=field.kind,
        value=value,
        options=[(choice.value, choice.label) for choice in field.choices],
        required=field.required and not (field.secret and known is not None),
        secret=field.secret,
        error=form.error(name),
    )


def _name(field: FormField) -> str:
    # As the services name it in the path of an error, so that the sentence finds its field.
    return f"settings.{field.name}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
