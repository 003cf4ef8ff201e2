"""Bots: their names and scripts."""

from __future__ import annotations

import re
from functools import partial
from importlib import resources

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.bots.script import default_script, parse_script
from warmline.bots.service import Bot
from warmline.kernel.errors import Conflict, Invalid, WarmlineError
from warmline.web.console import flashes
from warmline.web.console.administration import administration
from warmline.web.console.forms import Form
from warmline.web.console.once import once
from warmline.web.console.visit import Visit

_PATH = "/console/bots"
_SEE = {"scope": Scope.WIDGETS_READ}
_CHANGE = {"scope": Scope.WIDGETS_WRITE, "max_form": 256 * 1024}
_NAME_LENGTH = 200
_EMPTY = resources.files("warmline.web.console").joinpath("scripts/empty.toml")
STARTS = (("empty", "An empty script"), ("example", "The example of a shop"))
_ENTRY = re.compile(r"script\.faq\[(\d+)\](?:\.(.+))?")

flashes.register("bot-saved", "The bot is saved. Running conversations go on with the new script.")
flashes.register("bot-reset", "The bot has the example's script now.")


@get("/bots", opt=_SEE)
async def list_bots(visit: Visit) -> Response[str]:
    at = administration(visit)
    search = visit.request.query_params.get("q", "").strip()[:200]
    every = await at.all_bots()
    widgets = await at.all_widgets()
    return visit.page(
        "pages/bots.html",
        bots=[bot for bot in every if search.casefold() in bot.name.casefold()],
        any_at_all=bool(every),
        search=search,
        used={bot.id: sum(widget.bot_id == bot.id for widget in widgets) for bot in every},
        may_change=access.widgets.may_write(visit.principal),
    )


@get("/bots/new", opt=_CHANGE, sync_to_thread=False)
def show_new_bot(visit: Visit) -> Response[str]:
    return _page(visit, None, Form())


@post("/bots", opt=_CHANGE)
async def create_bot(visit: Visit) -> Response[str]:
    form = _checked(await visit.form())
    if form.errors:
        return _page(visit, None, form, 400)
    try:
        make = partial(
            administration(visit).bots.create,
            name=form.text("name"),
            script=_script(form),
            actor=visit.principal.actor,
        )
        outcome = await once(visit, "bot", make, lambda bot: bot.id)
    except Invalid as error:
        return _page(visit, None, _explain(form, error), error.status)
    return visit.redirect(f"{_PATH}/{outcome.id}".rstrip("/"), "bot-saved")


@get("/bots/{bot_id:str}", opt=_SEE)
async def show_bot(visit: Visit, bot_id: FromPath[str]) -> Response[str]:
    return _page(visit, await administration(visit).bots.get(bot_id), Form())


@post("/bots/{bot_id:str}", opt=_CHANGE)
async def change_bot(visit: Visit, bot_id: FromPath[str]) -> Response[str]:
    at, form = administration(visit), await visit.form()
    bot = await at.bots.get(bot_id)
    if form.text("updated_at") != str(bot.updated_at):
        late = Conflict("Somebody else has saved this bot in the meantime. Look at it again, then save yours.")
        return _page(visit, bot, form.with_error(late), late.status)
    form = _checked(form)
    if form.errors:
        return _page(visit, bot, form, 400)
    try:
        await at.bots.update(bot_id, name=form.text("name"), script=_script(form), actor=visit.principal.actor)
    except Invalid as error:
        return _page(visit, bot, _explain(form, error), error.status)
    return visit.redirect(f"{_PATH}/{bot_id}", "bot-saved")


@post("/bots/{bot_id:str}/reset", opt=_CHANGE)
async def reset_bot(visit: Visit, bot_id: FromPath[str]) -> Response[str]:
    await administration(visit).bots.update(bot_id, script=default_script(), actor=visit.principal.actor)
    return visit.redirect(f"{_PATH}/{bot_id}", "bot-reset")


def _page(visit: Visit, bot: Bot | None, form: Form, status: int = 200) -> Response[str]:
    asked = visit.request.query_params.get("from", "")
    start = asked if asked in dict(STARTS) else STARTS[0][0]
    stored = bot.script if bot else _script_of(start)
    return visit.page(
        "pages/bot.html",
        status=status,
        form=form,
        bot=bot,
        name=form.text("name", bot.name if bot else ""),
        script=form.text("script", stored),
        starts=[(label, f"{_PATH}/new?from={name}", name == start) for name, label in STARTS],
        may_change=access.widgets.may_write(visit.principal),
    )


def _script_of(start: str) -> str:
    return default_script() if start == "example" else _EMPTY.read_text(encoding="utf-8")


def _checked(form: Form) -> Form:
    form = form.checked(lambda: _check_name(form.text("name")))
    try:
        parse_script(_script(form))
    except Invalid as error:
        form = _explain(form, error)
    return form


def _check_name(name: str) -> None:
    if not 1 <= len(name.strip()) <= _NAME_LENGTH:
        raise Invalid(f"A bot needs a name of 1 to {_NAME_LENGTH} characters.", path="$.name")


def _script(form: Form) -> str:
    # Browsers send the lines of a text area with carriage returns.
    return form.text("script").replace("\r\n", "\n")


def _explain(form: Form, error: WarmlineError) -> Form:
    """The form with the error under the script when it is about it, naming line or field."""
    path = str(error.fields.get("path", "$")).removeprefix("$").removeprefix(".")
    if not path.startswith("script"):
        return form.with_error(error)
    where = path.removeprefix("script").removeprefix(".")
    found = _ENTRY.fullmatch(path)
    if found is not None:
        line = _line_of_entry(_script(form), int(found[1]))
        field = f", {found[2]}" if found[2] else ""
        where = f"Question {int(found[1]) + 1}" + (f" (line {line})" if line else "") + field
    detail = f"{where}: {error.detail}" if where else error.detail
    return form.with_error(Invalid(detail, path="$.script"))


def _line_of_entry(script: str, index: int) -> int:
    heads = [number for number, line in enumerate(script.split("\n"), 1) if line.strip() == "[[faq]]"]
    return heads[index] if index < len(heads) else 0


BOTS = (list_bots, show_new_bot, create_bot, show_bot, change_bot, reset_bot)
