"""What the demo consists of in the store: a bot, a widget with its ladder, the sample CRM's connection, keys, a member."""

from __future__ import annotations

import secrets
from importlib import resources

import msgspec

from warmline.accounts.access import KEY_SCOPES, SYSTEM
from warmline.accounts.model import NewKey, Role
from warmline.app import Node
from warmline.conversations.widgets import LadderStep, Look, Widget
from warmline.demo.file import DemoFile

EMAIL = "founder@lumen.example"
_KEY_LABEL = "Demo"
_NAME = "Robin Founder"


async def furnish(node: Node, known: DemoFile | None, crm_url: str) -> DemoFile:
    """Make what is missing, and bring addresses up to date: a second start finds everything as it was."""
    if known is not None and node.connections.find(known.connection_id) is not None:
        return await _refresh(node, known, crm_url)
    base = node.settings.public_url
    password = secrets.token_urlsafe(9)
    script = (resources.files("warmline.bots") / "scripts" / "default.toml").read_text(encoding="utf-8")
    bot = await node.bots.create(name="Lumi", script=script)
    crm = await node.connections.create(
        SYSTEM,
        kind="customcrm",
        name="Sample CRM",
        # Rich: the agent sees what was said before, and on which page.
        settings={"webhook_url": f"{crm_url}/webhook", "profile": "rich"},
        bot_ids=[bot.id],
    )
    desk = await node.connections.create(SYSTEM, kind="builtin", name="Our own desk", settings={}, bot_ids=[bot.id])
    widget = await node.widgets.create(
        Widget(
            id="",
            name="Lumen & Oak shop",
            bot_id=bot.id,
            allowed_origins=(base,),
            ladder=(
                LadderStep(connection_id=crm.connection.id, text="One moment, I am looking for a colleague."),
                LadderStep(connection_id=desk.connection.id, text="I am asking another team. Thank you for waiting."),
            ),
            look=Look(title="Lumen & Oak", subtitle="We are here for you", bot_name="Lumi", attachments=True),
        )
    )
    wire = await _key(node, kind="wire", connection_id=crm.connection.id)
    api = await _key(node, kind="v1", connection_id=None)
    email = await _member(node, password)
    return DemoFile(
        base_url=base,
        widget_id=widget.id,
        bot_id=bot.id,
        connection_id=crm.connection.id,
        desk_connection_id=desk.connection.id,
        api_key=wire.token,
        v1_api_key=api.token,
        crm_url=crm_url,
        console_email=email,
        console_password=password,
        signing_secret=crm.secrets.get("signing_secret", ""),
    )


async def _member(node: Node, password: str) -> str:
    """An administrator with that password.  Members of an earlier start, whose file is gone, stay as they are."""
    if not await node.accounts.has_members():
        await node.accounts.sign_up_first_member(EMAIL, _NAME, password)
        return EMAIL
    email = EMAIL.replace("@", f"-{secrets.token_hex(3)}@")
    await node.accounts.create_member(SYSTEM, email, _NAME, Role.ADMIN, password)
    return email


async def _refresh(node: Node, known: DemoFile, crm_url: str) -> DemoFile:
    base = node.settings.public_url
    if known.crm_url != crm_url:
        await node.connections.update(SYSTEM, known.connection_id, settings={"webhook_url": f"{crm_url}/webhook"})
    if known.base_url != base:
        widget = await node.widgets.read(known.widget_id)
        origins = tuple(dict.fromkeys((*widget.allowed_origins, base)))
        await node.widgets.update(msgspec.structs.replace(widget, allowed_origins=origins))
    return msgspec.structs.replace(known, base_url=base, crm_url=crm_url)


async def _key(node: Node, *, kind: str, connection_id: str | None) -> NewKey:
    if kind == "wire":
        return await node.api_keys.create(SYSTEM, kind="wire", label=_KEY_LABEL, connection_id=connection_id)
    return await node.api_keys.create(SYSTEM, kind="v1", label=_KEY_LABEL, scopes=[scope.value for scope in KEY_SCOPES])
