"""The preview of a rung's payload in the widget's form."""

from __future__ import annotations

from warmline.conversations.listing import Filters
from warmline.kernel.clock import to_rfc3339
from warmline.kernel.errors import Conflict, Invalid, NotFound
from warmline.platform.typed_json import TypedJsonInvalid
from warmline.web.console.administration import Administration
from warmline.web.console.widgets_form import WidgetDraft

_LATEST = 20


async def choices(at: Administration, widget_id: str) -> list[tuple[str, str]]:
    """The latest conversations to fill it from: of this widget, else of any; id and what people know it by."""
    found = await at.listing.conversations(Filters(widget_id=widget_id or None), limit=_LATEST)
    if widget_id and not found.items:
        found = await at.listing.conversations(Filters(), limit=_LATEST)
    return [
        (one.conversation_id, f"{one.visitor_name or 'A visitor'}, {to_rfc3339(one.started_at)[:16].replace('T', ' ')}")
        for one in found.items
    ]


async def fill(at: Administration, draft: WidgetDraft, place: str) -> None:
    """Fill the payload of the rung at ``place``; what is wrong stands at the rung."""
    if not (place.isascii() and place.isdigit() and int(place) < len(draft.rungs)):
        return
    rung = draft.rungs[int(place)]
    rung.focus = "preview"
    if not rung.preview_of:
        rung.preview_failure = "Choose a conversation to fill it from."
        return
    try:
        rung.preview = await at.previews.fill(rung.connection_id, rung.payload, rung.preview_of)
    except TypedJsonInvalid as error:
        where = error.fields.get("path", "$")
        rung.preview_failure = error.detail if where == "$" else f"{error.detail} (field {where})"
    except (Invalid, NotFound, Conflict) as error:
        rung.preview_failure = error.detail
