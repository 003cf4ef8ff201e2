"""``/api/v1/widgets``: where on the web visitors arrive."""

from __future__ import annotations

from html import escape
from typing import Annotated

import msgspec
from litestar import get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, UnsetType

from warmline.accounts.access import Scope
from warmline.conversations.widgets import LadderStep, Look, Widget
from warmline.kernel.errors import Invalid, NotFound
from warmline.web.api.door import Call, Repeat
from warmline.web.api.values import (
    BotRef,
    Id,
    IdCursor,
    Input,
    Limit,
    Line,
    Moment,
    Output,
    Search,
    check_id,
    moment,
    moment_or_none,
)

_READ = {"scope": Scope.WIDGETS_READ}
_WRITE = {"scope": Scope.WIDGETS_WRITE}
_TAGS = ["Widgets"]
_LONGEST_S = 30 * 86_400

Seconds = Annotated[float, Meta(ge=0.1, le=_LONGEST_S)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^\\u0000-\\u001f\\u007f]*$")]
Short = Annotated[str, Meta(max_length=120, pattern="^[^\\u0000-\\u001f\\u007f]*$")]
Origin = Annotated[str, Meta(max_length=300, description="Like https://shop.example.")]


class Step(Input, frozen=True, kw_only=True):
    """One rung of the ladder: the connection to try, words to the visitor, and its own deadlines if it has any."""

    connection_id: Id
    text: Annotated[str, Meta(max_length=500, pattern="^[^\\u0000]*$")] = ""
    escalate_to: Line | None = None
    payload: Annotated[
        str,
        Meta(
            max_length=65_536,
            pattern="^[^\\u0000]*$",
            description="What the desk is told besides: JSON as people type it, with placeholders like {{email}}.",
        ),
    ] = ""
    answer_within_s: Seconds | None = None
    connect_within_s: Seconds | None = None
    idle_after_s: Seconds | None = None
    lost_after_s: Seconds | None = None


class LookWanted(Input, frozen=True, kw_only=True):
    """What the widget shows of its owner.  An empty language follows the page's."""

    title: Short = "Chat with us"
    subtitle: Short = ""
    bot_name: Short = "Assistant"
    language: Annotated[str, Meta(pattern="^([A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3})?$", max_length=35)] = ""
    accent: Annotated[str, Meta(pattern="^(#[0-9a-fA-F]{6})?$")] = ""
    attachments: Annotated[
        bool | UnsetType,
        Meta(description="Whether visitors may send files. Left out: true for a new widget, else as it was."),
    ] = UNSET


class WidgetWanted(Input, frozen=True, kw_only=True):
    """A new widget."""

    name: Name
    bot_id: BotRef
    allowed_origins: Annotated[tuple[Origin, ...], Meta(max_length=100)] = ()
    ladder: Annotated[tuple[Step, ...], Meta(max_length=20)] = ()
    look: LookWanted = LookWanted()


class WidgetChange(Input, frozen=True, kw_only=True):
    """What shall change; what is left out stays.  Ladder and look are replaced as a whole."""

    name: Name | UnsetType = UNSET
    bot_id: BotRef | UnsetType = UNSET
    allowed_origins: Annotated[tuple[Origin, ...], Meta(max_length=100)] | UnsetType = UNSET
    ladder: Annotated[tuple[Step, ...], Meta(max_length=20)] | UnsetType = UNSET
    look: LookWanted | UnsetType = UNSET


class StepShown(Output, frozen=True, kw_only=True):
    """One rung of the ladder; deadlines that are null are the installation's."""

    connection_id: str
    text: str
    escalate_to: str | None
    payload: str
    answer_within_s: float | None
    connect_within_s: float | None
    idle_after_s: float | None
    lost_after_s: float | None


class LookShown(Output, frozen=True, kw_only=True):
    """What the widget shows of its owner."""

    title: str
    subtitle: str
    bot_name: str
    language: str
    accent: str
    attachments: bool


class WidgetShown(Output, frozen=True, kw_only=True):
    """A widget, and the line of HTML that brings it onto a page."""

    id: str
    name: str
    bot_id: str
    allowed_origins: tuple[str, ...]
    ladder: tuple[StepShown, ...]
    look: LookShown
    enabled: bool
    embed_html: str
    created_at: Moment
    updated_at: Moment
    disabled_at: Moment | None


class WidgetPage(Output, frozen=True, kw_only=True):
    """One page of widgets."""

    items: tuple[WidgetShown, ...]
    next_cursor: str | None


@get("/widgets", operation_id="listWidgets", summary="List widgets", tags=_TAGS, opt=_READ)
async def list_widgets(call: Call, search: Search = None, cursor: IdCursor = None, limit: Limit = 50) -> WidgetPage:
    """In the order they were made, disabled ones included."""
    found = await call.at.widgets.list(search=search or "", after=cursor or "", limit=limit + 1)
    page = found[:limit]
    following = page[-1].id if len(found) > limit else None
    return WidgetPage(items=tuple(_show(call, one) for one in page), next_cursor=following)


@get("/widgets/{widget_id:str}", operation_id="getWidget", summary="Read a widget", tags=_TAGS, opt=_READ)
async def get_widget(call: Call, widget_id: FromPath[str]) -> WidgetShown:
    """With the code to embed it."""
    return _show(call, await _find(call, widget_id))


@post(
    "/widgets", operation_id="createWidget", summary="Make a widget", tags=_TAGS, opt={**_WRITE, "problems": (409, 422)}
)
async def create_widget(call: Call, repeat: Repeat, data: JSONBody[WidgetWanted]) -> WidgetShown:
    """400 names the field, also when its bot or a connection of its ladder does not exist."""

    async def make() -> WidgetShown:
        wanted = Widget(
            id="",
            name=data.name,
            bot_id=data.bot_id,
            allowed_origins=data.allowed_origins,
            ladder=_ladder(data.ladder),
            look=_look(data.look, files=True),
        )
        await _check_refs(call, wanted)
        return _show(call, await call.at.widgets.create(wanted, actor=call.who.actor))

    return await repeat.once("createWidget", data, WidgetShown, make)


@patch("/widgets/{widget_id:str}", operation_id="changeWidget", summary="Change a widget", tags=_TAGS, opt=_WRITE)
async def change_widget(call: Call, widget_id: FromPath[str], data: JSONBody[WidgetChange]) -> WidgetShown:
    """Conversations that are going on keep the ladder they asked with."""
    known = await _find(call, widget_id)
    changed = msgspec.structs.replace(
        known,
        name=known.name if data.name is UNSET else data.name,
        bot_id=known.bot_id if data.bot_id is UNSET else data.bot_id,
        allowed_origins=known.allowed_origins if data.allowed_origins is UNSET else data.allowed_origins,
        ladder=known.ladder if data.ladder is UNSET else _ladder(data.ladder),
        look=known.look if data.look is UNSET else _look(data.look, files=known.look.attachments),
    )
    await _check_refs(call, changed)
    return _show(call, await call.at.widgets.update(changed, actor=call.who.actor))


@post(
    "/widgets/{widget_id:str}/disable",
    operation_id="disableWidget",
    summary="Switch a widget off",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def disable_widget(call: Call, widget_id: FromPath[str]) -> WidgetShown:
    """Visitors get no chat there any more.  Repeating is harmless."""
    known = await _find(call, widget_id)
    at = known.disabled_at or call.at.clock.now()
    off = msgspec.structs.replace(known, disabled_at=at)
    return _show(call, await call.at.widgets.update(off, actor=call.who.actor))


@post(
    "/widgets/{widget_id:str}/enable",
    operation_id="enableWidget",
    summary="Switch a widget on",
    tags=_TAGS,
    status_code=200,
    opt=_WRITE,
)
async def enable_widget(call: Call, widget_id: FromPath[str]) -> WidgetShown:
    """Repeating is harmless."""
    known = await _find(call, widget_id)
    on = msgspec.structs.replace(known, disabled_at=None)
    return _show(call, await call.at.widgets.update(on, actor=call.who.actor))


async def _find(call: Call, widget_id: str) -> Widget:
    return await call.at.widgets.read(check_id(widget_id, "widget"))


async def _check_refs(call: Call, widget: Widget) -> None:
    try:
        await call.at.bots.get(widget.bot_id)
    except NotFound:
        raise Invalid("There is no such bot.", path="$.bot_id", code="unknown_bot") from None
    for fault in call.at.ladders.faults_of(widget.ladder):
        raise fault


def _ladder(steps: tuple[Step, ...]) -> tuple[LadderStep, ...]:
    return tuple(LadderStep(**msgspec.structs.asdict(step)) for step in steps)


def _look(look: LookWanted, *, files: bool) -> Look:
    wanted = msgspec.structs.asdict(look)
    return Look(**wanted | {"attachments": files if look.attachments is UNSET else look.attachments})


def _show(call: Call, one: Widget) -> WidgetShown:
    base = call.at.public_url.rstrip("/")
    return WidgetShown(
        id=one.id,
        name=one.name,
        bot_id=one.bot_id,
        allowed_origins=one.allowed_origins,
        ladder=tuple(StepShown(**msgspec.structs.asdict(step)) for step in one.ladder),
        look=LookShown(**msgspec.structs.asdict(one.look)),
        enabled=one.disabled_at is None,
        embed_html=f'<script src="{escape(base)}/widget/loader.js" data-widget="{one.id}" async></script>',
        created_at=moment(one.created_at),
        updated_at=moment(one.updated_at),
        disabled_at=moment_or_none(one.disabled_at),
    )


HANDLERS = (list_widgets, get_widget, create_widget, change_widget, disable_widget, enable_widget)
