"""The operations on the app itself: integrations, webhooks, the switchboard, and uploads.

Documented: methods, paths, statuses, titles of errors, and the limits of ten.  Assumed: 400 for the eleventh webhook.
"""

from __future__ import annotations

import secrets
from urllib.parse import quote

from aiohttp import web
from msgspec import UNSET

from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.forms import parts
from warmline.simulators.sunco import answers, bodies
from warmline.simulators.sunco.answers import answer
from warmline.simulators.sunco.assumptions import Assumptions
from warmline.simulators.sunco.conversations_api import Rows, page
from warmline.simulators.sunco.keys import Keys
from warmline.simulators.sunco.posting import TRIGGERS
from warmline.simulators.sunco.state import CUSTOM, Account, Attachment, Integration, Line, Webhook, new_id

MOST = 10
DOWNLOAD = "/sc/attachments/v2/{attachment}/{name}"
_INTEGRATION = "/integrations/{integration}"
_HOOK = f"{_INTEGRATION}/webhooks/{{webhook}}"
_LINES = "/switchboards/{switchboard}/switchboardIntegrations"


class SetupApi:
    """What is set up once, and files."""

    def __init__(self, account: Account, assumptions: Assumptions, keys: Keys, *, private: bool) -> None:
        self.base_url = ""
        self._account = account
        self._keys = keys
        self._private = private
        self._strict = assumptions.refuse_unknown_fields

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("GET", "", "app.get", self.app),
            ("POST", "/attachments", "attachments.upload", self.upload),
            ("GET", "/integrations", "integrations.list", self.integrations),
            ("POST", "/integrations", "integrations.create", self.create_integration),
            ("GET", _INTEGRATION, "integrations.get", self.integration),
            ("DELETE", _INTEGRATION, "integrations.delete", self.delete_integration),
            ("GET", f"{_INTEGRATION}/webhooks", "webhooks.list", self.webhooks),
            ("POST", f"{_INTEGRATION}/webhooks", "webhooks.create", self.create_webhook),
            ("GET", _HOOK, "webhooks.get", self.webhook),
            ("PATCH", _HOOK, "webhooks.change", self.change_webhook),
            ("DELETE", _HOOK, "webhooks.delete", self.delete_webhook),
            ("GET", "/switchboards", "switchboards.list", self.switchboards),
            ("POST", "/switchboards", "switchboards.create", self.create_switchboard),
            ("PATCH", "/switchboards/{switchboard}", "switchboards.change", self.change_switchboard),
            ("GET", _LINES, "switchboard_integrations.list", self.lines),
            ("POST", _LINES, "switchboard_integrations.create", self.create_line),
            ("PATCH", f"{_LINES}/{{line}}", "switchboard_integrations.change", self.change_line),
            ("DELETE", f"{_LINES}/{{line}}", "switchboard_integrations.delete", self.delete_line),
        )

    async def app(self, _ask: Ask) -> web.Response:
        """The app."""
        return answer({"app": {"id": self._account.app_id, "displayName": "Lumen Lamps", "subdomain": "lumen"}})

    # --------------------------------------------------------------------------------------- attachments
    async def upload(self, ask: Ask) -> web.Response:
        """A file in the field ``source``."""
        if ask.query.get("access", "") != "public":
            raise VendorRefusal(400, "Bad request", note="access=public is the only one there is")
        made = self.keep(*_source(ask))
        return answer({"attachment": {"mediaUrl": self.url_of(made), "mediaType": made.media_type}}, 201)

    def keep(self, name: str, media_type: str, content: bytes) -> Attachment:
        """A file that can be fetched from now on."""
        made = Attachment(id=new_id(), name=name, media_type=media_type, content=content)
        self._account.attachments[made.id] = made
        return made

    def url_of(self, one: Attachment) -> str:
        """Where it is."""
        return self.base_url + DOWNLOAD.format(attachment=one.id, name=quote(one.name or "file"))

    async def download(self, request: web.Request) -> web.Response:
        """The content; with private attachments for holders of a key only (documented)."""
        found = self._account.attachments.get(request.match_info["attachment"])
        if found is None:
            return answers.refusal(404, "Resource not found")
        if self._private:
            try:
                self._keys.of(request.headers)
            except VendorRefusal as refused:
                return answers.refusal(refused.status, refused.message)
        return web.Response(body=found.content, content_type=found.media_type)

    # -------------------------------------------------------------------------------------- integrations
    def _integration(self, ask: Ask) -> Integration:
        found = self._account.integrations.get(ask.path["integration"])
        if found is None:
            raise VendorRefusal(404, "Integration not found", note="there is no such integration")
        mine = self._keys.of(ask.headers).integration_id
        if mine and mine != found.id:
            raise VendorRefusal(403, "Forbidden", note="the key belongs to another integration")
        return found

    async def integrations(self, ask: Ask) -> web.Response:
        """All, or those of some types."""
        wanted = {one for one in ask.query.get("filter[types]", "").split(",") if one}
        rows = [
            answers.integration(one) for one in self._account.integrations.values() if not wanted or one.type in wanted
        ]
        return answer(page(ask, rows, "integrations", backwards=False))

    async def create_integration(self, ask: Ask) -> web.Response:
        """A custom one with its webhook."""
        given = bodies.read(ask.body, bodies.NewIntegration, strict=self._strict)
        made = Integration(id=new_id(), type=CUSTOM, display_name=given.display_name)
        self.add_webhook(made, given.webhooks[0])
        self._account.integrations[made.id] = made
        return answer({"integration": answers.integration(made)}, 201)

    async def integration(self, ask: Ask) -> web.Response:
        """One of them."""
        return answer({"integration": answers.integration(self._integration(ask))})

    async def delete_integration(self, ask: Ask) -> web.Response:
        """No longer there, nor in the switchboard."""
        found = self._integration(ask)
        del self._account.integrations[found.id]
        lines = self._account.switchboard.lines
        for line in [one for one in lines.values() if one.integration_id == found.id]:
            del lines[line.id]
        return answer({})

    # ------------------------------------------------------------------------------------------ webhooks
    def add_webhook(self, integration: Integration, given: bodies.NewWebhook, *, secret: str = "") -> Webhook:
        """A webhook; the secret is made up unless given.  Raises VendorRefusal 400."""
        _check_triggers(given.triggers)
        if len(self._account.webhooks) >= MOST:
            raise VendorRefusal(400, "Bad request", note=f"an app has at most {MOST} webhooks")
        made = Webhook(
            id=new_id(),
            target=given.target,
            triggers=tuple(given.triggers),
            secret=secret or secrets.token_hex(16),
            include_full_user=given.include_full_user,
            include_full_source=given.include_full_source,
        )
        integration.webhooks[made.id] = made
        return made

    def _webhook(self, ask: Ask) -> Webhook:
        found = self._integration(ask).webhooks.get(ask.path["webhook"])
        if found is None:
            raise VendorRefusal(404, "Webhook not found", note="there is no such webhook")
        return found

    async def webhooks(self, ask: Ask) -> web.Response:
        """All of an integration."""
        return answer({"webhooks": [answers.webhook(one) for one in self._integration(ask).webhooks.values()]})

    async def create_webhook(self, ask: Ask) -> web.Response:
        """One more."""
        integration = self._integration(ask)
        made = self.add_webhook(integration, bodies.read(ask.body, bodies.NewWebhook, strict=self._strict))
        return answer({"webhook": answers.webhook(made)}, 201)

    async def webhook(self, ask: Ask) -> web.Response:
        """One, with its secret."""
        return answer({"webhook": answers.webhook(self._webhook(ask))})

    async def change_webhook(self, ask: Ask) -> web.Response:
        """Where it goes and what it tells."""
        found = self._webhook(ask)
        given = bodies.read(ask.body, bodies.ChangedWebhook, strict=self._strict)
        if given.triggers is not UNSET:
            _check_triggers(given.triggers)
            found.triggers = tuple(given.triggers)
        found.target = found.target if given.target is UNSET else given.target
        if given.include_full_user is not UNSET:
            found.include_full_user = given.include_full_user
        if given.include_full_source is not UNSET:
            found.include_full_source = given.include_full_source
        return answer({"webhook": answers.webhook(found)})

    async def delete_webhook(self, ask: Ask) -> web.Response:
        """No more events there."""
        found = self._webhook(ask)
        del self._integration(ask).webhooks[found.id]
        return answer({})

    # --------------------------------------------------------------------------------------- switchboard
    async def switchboards(self, _ask: Ask) -> web.Response:
        """The one there is."""
        return answer({"switchboards": [answers.switchboard(self._account.switchboard)]})

    async def create_switchboard(self, _ask: Ask) -> web.Response:
        """There is one already, as with every account of Zendesk."""
        raise VendorRefusal(400, "Only one switchboard can be created per app")

    async def change_switchboard(self, ask: Ask) -> web.Response:
        """On or off, and who begins."""
        self._check_switchboard(ask)
        found = self._account.switchboard
        given = bodies.read(ask.body, bodies.ChangedSwitchboard, strict=self._strict)
        found.enabled = found.enabled if given.enabled is UNSET else given.enabled
        if given.default_switchboard_integration_id is not UNSET:
            found.default_id = self._line(given.default_switchboard_integration_id).id
        return answer({"switchboard": answers.switchboard(found)})

    def _check_switchboard(self, ask: Ask) -> None:
        if ask.path["switchboard"] != self._account.switchboard.id:
            raise VendorRefusal(404, "Switchboard not found", note="there is no such switchboard")

    def _line(self, line_id: str) -> Line:
        found = self._account.line(line_id)
        if found is None:
            raise VendorRefusal(404, "Switchboard integration not found", note=f"there is none with the id {line_id}")
        return found

    async def lines(self, ask: Ask) -> web.Response:
        """All places of the switchboard."""
        self._check_switchboard(ask)
        rows = [answers.line(one) for one in self._account.switchboard.lines.values()]
        return answer({"switchboardIntegrations": rows})

    async def create_line(self, ask: Ask) -> web.Response:
        """One more, at most ten."""
        self._check_switchboard(ask)
        given = bodies.read(ask.body, bodies.NewLine, strict=self._strict)
        lines = self._account.switchboard.lines
        if len(lines) >= MOST:
            raise VendorRefusal(400, answers.FULL_SWITCHBOARD)
        if (given.integration_id is UNSET) == (given.integration_type is UNSET):
            raise VendorRefusal(400, "Bad request", note="integrationId or integrationType, not both")
        fits = [
            one
            for one in self._account.integrations.values()
            if one.id == given.integration_id or one.type == given.integration_type
        ]
        if len(fits) != 1:
            raise VendorRefusal(404, "Integration not found", note=f"{len(fits)} integrations fit")
        made = Line(id=new_id(), name=given.name, integration_id=fits[0].id, integration_type=fits[0].type)
        self._change(made, given)
        lines[made.id] = made
        return answer({"switchboardIntegration": answers.line(made)}, 201)

    async def change_line(self, ask: Ask) -> web.Response:
        """How it is called and what it hears."""
        self._check_switchboard(ask)
        found = self._line(ask.path["line"])
        self._change(found, bodies.read(ask.body, bodies.ChangedLine, strict=self._strict))
        return answer({"switchboardIntegration": answers.line(found)})

    def _change(self, line: Line, given: bodies.ChangedLine) -> None:
        if given.name is not UNSET:
            if any(one.name == given.name and one is not line for one in self._account.switchboard.lines.values()):
                raise VendorRefusal(400, "Bad request", note=f"there is a {given.name} already")
            line.name = given.name
        if given.deliver_standby_events is not UNSET:
            line.deliver_standby_events = given.deliver_standby_events
        if given.next_switchboard_integration_id is not UNSET:
            following = given.next_switchboard_integration_id
            line.next_id = self._line(following).id if following else None
        if given.message_history_count is not UNSET:
            line.message_history_count = given.message_history_count

    async def delete_line(self, ask: Ask) -> web.Response:
        """No longer in the switchboard."""
        self._check_switchboard(ask)
        del self._account.switchboard.lines[self._line(ask.path["line"]).id]
        return answer({})


def _check_triggers(given: list[str]) -> None:
    for name in given:
        if name not in TRIGGERS:
            raise VendorRefusal(400, "Bad request", note=f"there is no trigger {name}")


def _source(ask: Ask) -> tuple[str, str, bytes]:
    """Name, media type and content of the uploaded file.  Raises VendorRefusal 400."""
    for part in parts(ask):
        if part.field == "source":
            return part.filename or "file", part.media_type, part.content
    raise VendorRefusal(400, "Bad request", note="a multipart form with the field source is needed")
