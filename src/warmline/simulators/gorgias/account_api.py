"""The operations on customers, users, teams, tags, integrations and files."""

from __future__ import annotations

import secrets

from aiohttp import web
from msgspec import UNSET, UnsetType

from warmline.kernel.clock import Clock
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.forms import parts
from warmline.simulators.gorgias import answers, bodies
from warmline.simulators.gorgias.answers import page, reply
from warmline.simulators.gorgias.hooks import Hooks, Integration
from warmline.simulators.gorgias.office import CONFLICT, NOT_FOUND, Office
from warmline.simulators.gorgias.state import Channel, Customer, File, Stored
from warmline.simulators.gorgias.tickets_api import Rows, number

DOWNLOAD = "/api/attachment/download/{key}/{name}"
"""Where an uploaded file is (the path is reported)."""
_KINDS = {"attachment": True, "public_attachment": False}
"""Whether an upload of the type asks for the credentials when it is read back (assumed)."""


class AccountApi:
    """Everything that is not about one ticket."""

    def __init__(self, office: Office, hooks: Hooks, clock: Clock) -> None:
        self.base_url = ""
        self._office = office
        self._account = office.account
        self._hooks = hooks
        self._clock = clock

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("GET", "/account", "account.get", self.account),
            ("GET", "/customers", "customers.list", self.customers),
            ("POST", "/customers", "customers.create", self.create_customer),
            ("GET", "/customers/{id}", "customers.get", self.customer),
            ("PUT", "/customers/{id}", "customers.change", self.change_customer),
            ("GET", "/users", "users.list", self.users),
            ("GET", "/users/{id}", "users.get", self.user),
            ("GET", "/teams", "teams.list", self.teams),
            ("GET", "/teams/{id}", "teams.get", self.team),
            ("GET", "/tags", "tags.list", self.tags),
            ("POST", "/tags", "tags.create", self.create_tag),
            ("GET", "/integrations", "integrations.list", self.integrations),
            ("POST", "/integrations", "integrations.create", self.create_integration),
            ("GET", "/integrations/{id}", "integrations.get", self.integration),
            ("PUT", "/integrations/{id}", "integrations.change", self.change_integration),
            ("DELETE", "/integrations/{id}", "integrations.delete", self.delete_integration),
            ("POST", "/upload", "files.upload", self.upload),
            ("GET", DOWNLOAD.removeprefix("/api"), "files.download", self.download),
        )

    async def account(self, _ask: Ask) -> web.Response:
        """The shop."""
        return reply({"domain": "lumen", "status": {"status": "active"}, "object": "account"})

    # ----------------------------------------------------------------------------------------- customers
    async def customers(self, ask: Ask) -> web.Response:
        """Those who ask; by e-mail or external id."""
        rows = list(self._account.customers.values())
        if email := ask.query.get("email"):
            known = self._account.customer_by_email(email)
            rows = [known] if known else []
        if external := ask.query.get("external_id"):
            rows = [one for one in rows if one.external_id == external]
        return page(ask, [answers.customer(one) for one in rows])

    async def customer(self, ask: Ask) -> web.Response:
        """One of them."""
        return reply(answers.customer(self._office.customer(number(ask.path["id"]))))

    async def create_customer(self, ask: Ask) -> web.Response:
        """Somebody new; 409 for an e-mail that somebody has."""
        given = bodies.read(ask.body, bodies.NewCustomer)
        if given.channels is None and self._office.assumptions.channels_required:
            raise VendorRefusal(400, bodies.INVALID, note="$.channels is required")
        channels = self._channels(given.channels or [])
        addresses = [one.address for one in channels if one.type == "email"]
        email = given.email or next(iter(addresses), None)
        for address in {*addresses, *([email] if email else [])}:
            self._must_be_free(address, None)
        if email and email not in addresses:
            channels.append(self._channel(bodies.NewChannel(type="email", address=email, preferred=True)))
        name = given.name or " ".join(part for part in (given.firstname, given.lastname) if part) or None
        made = Customer(
            id=0,
            created_at=0,
            updated_at=0,
            email=email,
            name=name,
            external_id=given.external_id,
            language=given.language,
            timezone=given.timezone,
            note=given.note,
            channels=channels,
        )
        return reply(answers.customer(self._office.add_customer(made)), 201)

    async def change_customer(self, ask: Ask) -> web.Response:
        """Another name, another address."""
        one = self._office.customer(number(ask.path["id"]))
        given = bodies.read(ask.body, bodies.ChangedCustomer)
        if not isinstance(given.email, UnsetType) and given.email:
            self._must_be_free(given.email, one)
        for name in ("email", "name", "external_id", "language", "timezone", "note"):
            value = getattr(given, name)
            if value is not UNSET:
                setattr(one, name, value)
        if not isinstance(given.channels, UnsetType):
            one.channels = self._channels(given.channels)
        one.updated_at = self._clock.now()
        return reply(answers.customer(one), 202)

    def _must_be_free(self, email: str, own: Customer | None) -> None:
        holder = self._account.customer_by_email(email)
        if holder is not None and holder is not own:
            raise VendorRefusal(409, CONFLICT, note=f"{email} belongs to somebody else")

    def _channels(self, given: list[bodies.NewChannel]) -> list[Channel]:
        return [self._channel(one) for one in given]

    def _channel(self, given: bodies.NewChannel) -> Channel:
        return Channel(id=self._account.next_id(), type=given.type, address=given.address, preferred=given.preferred)

    # ----------------------------------------------------------------------------------- users and teams
    async def users(self, ask: Ask) -> web.Response:
        """The members; by e-mail."""
        wanted = ask.query.get("email", "").lower()
        members = (self._account.owner, *self._account.agents)
        return page(ask, [answers.user(one) for one in members if not wanted or one.email == wanted])

    async def user(self, ask: Ask) -> web.Response:
        """One member; 0 is the one whose key it is (reported)."""
        wanted = number(ask.path["id"])
        found = self._account.user(wanted) if wanted else self._account.owner
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note=f"there is no user {wanted}")
        return reply(answers.user(found))

    async def teams(self, ask: Ask) -> web.Response:
        """All teams."""
        return page(ask, [answers.team(one) for one in self._account.teams])

    async def team(self, ask: Ask) -> web.Response:
        """One team."""
        found = self._account.team(number(ask.path["id"]))
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such team")
        return reply(answers.team(found))

    async def tags(self, ask: Ask) -> web.Response:
        """All labels."""
        return page(ask, [{"id": one, "name": name, "decoration": None} for name, one in self._account.tags.items()])

    async def create_tag(self, ask: Ask) -> web.Response:
        """A new label; 409 when it is there."""
        given = bodies.read(ask.body, bodies.TagName)
        if not given.name:
            raise VendorRefusal(400, bodies.INVALID, note="$.name is required")
        if given.name in self._account.tags:
            raise VendorRefusal(409, CONFLICT, note=f"there is a tag {given.name}")
        return reply({"id": self._account.tag_id(given.name), "name": given.name, "decoration": None}, 201)

    # -------------------------------------------------------------------------------------- integrations
    async def integrations(self, ask: Ask) -> web.Response:
        """All HTTP integrations."""
        return page(ask, [self._hooks.show(one) for one in self._hooks.all.values()])

    def _integration(self, ask: Ask) -> Integration:
        found = self._hooks.all.get(number(ask.path["id"]))
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such integration")
        return found

    async def integration(self, ask: Ask) -> web.Response:
        """One of them."""
        return reply(self._hooks.show(self._integration(ask)))

    async def create_integration(self, ask: Ask) -> web.Response:
        """Another one."""
        given = bodies.read(ask.body, bodies.NewIntegration)
        made = self._hooks.make(given.name, given.http, given.description)
        made.deactivated_at = bodies.millis(given.deactivated_datetime)
        return reply(self._hooks.show(made), 201)

    async def change_integration(self, ask: Ask) -> web.Response:
        """Another address or template; on or off."""
        one, given = self._integration(ask), bodies.read(ask.body, bodies.ChangedIntegration)
        if not isinstance(given.http, UnsetType):
            self._hooks.change_http(one, given.http)
        if not isinstance(given.name, UnsetType):
            one.name = given.name
        if not isinstance(given.description, UnsetType):
            one.description = given.description
        if not isinstance(given.deactivated_datetime, UnsetType):
            one.deactivated_at = bodies.millis(given.deactivated_datetime)
            self._hooks.start_counting(one)
        one.updated_at = self._clock.now()
        return reply(self._hooks.show(one), 202)

    async def delete_integration(self, ask: Ask) -> web.Response:
        """No more calls."""
        del self._hooks.all[self._integration(ask).id]
        return web.Response(status=204)

    # --------------------------------------------------------------------------------------------- files
    async def upload(self, ask: Ask) -> web.Response:
        """Files of a form; the name of each field is its label."""
        kind = ask.query.get("type", "attachment")
        if kind not in _KINDS:
            raise VendorRefusal(400, bodies.INVALID, note="type is attachment or public_attachment")
        given = [one for one in parts(ask) if one.filename]
        if not given:
            raise VendorRefusal(400, bodies.INVALID, note="the form has no file")
        files = [self.keep(one.filename, one.media_type, one.content, private=_KINDS[kind]) for one in given]
        return reply([answers.file(one) for one in files], 201)

    def keep(self, name: str, media_type: str, content: bytes, *, private: bool) -> File:
        """Store a file; whether its address asks for credentials is also up to ``Assumptions.attachment_links``."""
        key = secrets.token_hex(8)
        safe = name.replace("/", "_").replace(" ", "_")
        url = self.base_url + DOWNLOAD.format(key=key, name=safe)
        file = File(url=url, name=name, content_type=media_type, size=len(content))
        locked = private and self._office.assumptions.attachment_links == "private"
        self._account.files[key] = Stored(file=file, content=content, private=locked)
        return file

    async def download(self, ask: Ask) -> web.Response:
        """A file, once the credentials were checked."""
        found = self._account.files.get(ask.path["key"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such file")
        return web.Response(body=found.content, headers={"Content-Type": found.file.content_type})

    def is_open(self, key: str) -> bool:
        """Whether a file may be read by anybody who knows its address."""
        found = self._account.files.get(key)
        return found is not None and not found.private
