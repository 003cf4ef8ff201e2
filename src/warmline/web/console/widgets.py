"""Widgets: list, make, change, embed, switch off."""

from __future__ import annotations

from functools import partial

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.conversations.widgets import Widget, faults_of
from warmline.handover.payloads import PLACEHOLDERS
from warmline.kernel.errors import Invalid, NotFound
from warmline.web.console import connections_form, flashes, payload_previews, widgets_form
from warmline.web.console.administration import administration
from warmline.web.console.forms import Form
from warmline.web.console.once import once
from warmline.web.console.visit import Visit
from warmline.web.console.widgets_form import WidgetDraft
from warmline.web.widget import texts

PATH = "/console/widgets"
SEE = {"scope": Scope.WIDGETS_READ}
CHANGE = {"scope": Scope.WIDGETS_WRITE}
_SAVE = "save"

flashes.register("widget-saved", "The widget is saved. Pages that show it use it from their next load.")
flashes.register("widget-off", "The widget is off. Visitors get no chat there.", "wait")
flashes.register("widget-on", "The widget is on again.")


@get("/widgets", opt=SEE)
async def list_widgets(visit: Visit) -> Response[str]:
    at = administration(visit)
    search = visit.request.query_params.get("q", "").strip()[:200]
    every = await at.all_widgets()
    return visit.page(
        "pages/widgets.html",
        widgets=[one for one in every if search.casefold() in one.name.casefold()],
        any_at_all=bool(every),
        search=search,
        bots={bot.id: bot.name for bot in await at.all_bots()},
        may_change=access.widgets.may_write(visit.principal),
    )


@get("/widgets/new", opt=CHANGE)
async def show_new_widget(visit: Visit) -> Response[str]:
    bots = await administration(visit).all_bots()
    draft = widgets_form.draft_of(Widget(id="", name="", bot_id=bots[0].id if bots else ""))
    return await _edit_page(visit, None, draft, Form())


@post("/widgets", opt=CHANGE)
async def create_widget(visit: Visit) -> Response[str]:
    return await _submit(visit, None)


@get("/widgets/{widget_id:str}", opt=SEE)
async def show_widget(visit: Visit, widget_id: FromPath[str]) -> Response[str]:
    at = administration(visit)
    widget = await at.widgets.read(widget_id)
    bot = next((bot for bot in await at.all_bots() if bot.id == widget.bot_id), None)
    origin = visit.ctx.public_origin
    base = visit.ctx.public_url.rstrip("/")
    return visit.page(
        "pages/widget.html",
        widget=widget,
        bot=bot,
        rungs=[(step, at.connections.find(step.connection_id)) for step in widget.ladder],
        embed=f'<script src="{base}/widget/loader.js" data-widget="{widget.id}" async></script>',
        csp=f"script-src {origin}; frame-src {origin};",
        may_change=access.widgets.may_write(visit.principal),
    )


@get("/widgets/{widget_id:str}/edit", opt=CHANGE)
async def show_edit_widget(visit: Visit, widget_id: FromPath[str]) -> Response[str]:
    widget = await administration(visit).widgets.read(widget_id)
    return await _edit_page(visit, widget, widgets_form.draft_of(widget), Form())


@post("/widgets/{widget_id:str}/edit", opt=CHANGE)
async def change_widget(visit: Visit, widget_id: FromPath[str]) -> Response[str]:
    return await _submit(visit, await administration(visit).widgets.read(widget_id))


@post("/widgets/{widget_id:str}/enabled", opt=CHANGE)
async def change_widget_enabled(visit: Visit, widget_id: FromPath[str]) -> Response[str]:
    at, form = administration(visit), await visit.form()
    widget = await at.widgets.read(widget_id)
    enabled = form.text("enabled") == "yes"
    if enabled != (widget.disabled_at is None):
        moment = None if enabled else visit.ctx.clock.now()
        changed = msgspec.structs.replace(widget, disabled_at=moment)
        await at.widgets.update(changed, actor=visit.principal.actor)
    return visit.redirect(f"{PATH}/{widget_id}", "widget-on" if enabled else "widget-off")


@get("/widgets/{widget_id:str}/preview", opt=SEE)
async def preview_widget(visit: Visit, widget_id: FromPath[str]) -> Response[str]:
    widget = await administration(visit).widgets.read(widget_id)
    response = visit.page("pages/widget_preview.html", widget=widget)
    # As the console's own policy, and the widget's frame, which stands on this very server.
    response.headers["content-security-policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; frame-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return response


async def _submit(visit: Visit, known: Widget | None) -> Response[str]:
    at, form = administration(visit), await visit.form()
    draft = widgets_form.read_draft(form)
    action = form.text("do", _SAVE)
    if action.startswith("preview-"):
        await payload_previews.fill(at, draft, action.removeprefix("preview-"))
        return await _edit_page(visit, known, draft, form)
    if action != _SAVE:
        widgets_form.change_ladder(draft, action, [one.id for one in at.connections.list() if one.enabled])
        return await _edit_page(visit, known, draft, form)
    if known is not None and form.text("updated_at") != str(known.updated_at):
        changed = Invalid("Somebody else has saved this widget in the meantime. Look at it again, then save yours.")
        return await _edit_page(visit, known, draft, form.with_error(changed), 409)
    widget, form = widgets_form.widget_from(draft, known or Widget(id="", name="", bot_id=""), form)
    form = await _check(visit, widget, form)
    if form.errors:
        return await _edit_page(visit, known, draft, form, 400)
    if known is not None:
        await at.widgets.update(widget, actor=visit.principal.actor)
        return visit.redirect(f"{PATH}/{known.id}", "widget-saved")
    make = partial(at.widgets.create, widget, actor=visit.principal.actor)
    try:
        outcome = await once(visit, "widget", make, lambda saved: saved.id)
    except Invalid as error:
        return await _edit_page(visit, None, draft, form.with_error(error), error.status)
    return visit.redirect(f"{PATH}/{outcome.id}".rstrip("/"), "widget-saved")


async def _check(visit: Visit, widget: Widget, form: Form) -> Form:
    at = administration(visit)
    for fault in faults_of(widget):
        form = form.with_error(fault)
    try:
        await at.bots.get(widget.bot_id)
    except NotFound:
        form = form.with_error(Invalid("Choose a bot.", path="$.bot_id"))
    for fault in at.ladders.faults_of(widget.ladder):
        form = form.with_error(fault)
    return form


async def _edit_page(
    visit: Visit, known: Widget | None, draft: WidgetDraft, form: Form, status: int = 200
) -> Response[str]:
    at = administration(visit)
    connections = at.connections.list()
    return visit.page(
        "pages/widget_edit.html",
        status=status,
        form=form,
        widget=known,
        draft=draft,
        bots=[(bot.id, bot.name) for bot in await at.all_bots()],
        connections=[(one.id, one.name if one.enabled else f"{one.name} (off)") for one in connections],
        # The CRM of such a rung could not answer: its events name the bot, and the connection does not serve it.
        strangers={
            one.id for one in connections if one.kind in connections_form.WIRED and draft.bot_id not in one.bot_ids
        },
        off={one.id for one in connections if not one.enabled},
        payloads={
            one.id: kind.example for one in connections if (kind := at.connections.payload_kind(one.id)) is not None
        },
        placeholder_list=", ".join(f"{{{{{name}}}}}" for name in (*PLACEHOLDERS, "details.…")),
        conversations=await payload_previews.choices(at, known.id if known else ""),
        deadlines=widgets_form.DEADLINES,
        defaults=widgets_form.defaults(at.deadlines),
        most_rungs=widgets_form.MOST_RUNGS,
        languages=_languages(draft.look.get("language", "")),
    )


def _languages(chosen: str) -> list[tuple[str, str]]:
    known = sorted(texts.languages())
    if chosen and chosen not in known:
        known.append(chosen)
    return [("", "The visitor’s own"), *((tag, tag) for tag in known)]


WIDGETS = (
    list_widgets,
    show_new_widget,
    create_widget,
    show_widget,
    show_edit_widget,
    change_widget,
    change_widget_enabled,
    preview_widget,
)
