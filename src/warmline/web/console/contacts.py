"""Contacts: visitors who left an address because nobody was there, until somebody has come back to them."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath

from warmline.accounts import access
from warmline.accounts.access import Scope
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import is_uuid
from warmline.web.console import flashes
from warmline.web.console.conversations_entries import hue_of, initials_of
from warmline.web.console.desk_surface import DeskSurface
from warmline.web.console.visit import Visit, local_path

_PATH = "/console/contacts"
PAGE_SIZE = 40
TABS = (("open", "Open"), ("done", "Done"), ("all", "All"))
_DONE = {"open": False, "done": True, "all": None}

flashes.register("contact-done", "Marked as done.")
flashes.register("contact-open", "The contact is open again.")


@get("/contacts", opt={"scope": Scope.CONVERSATIONS_READ})
async def list_contacts(visit: Visit) -> Response[str]:
    surface: DeskSurface = visit.ctx.services["desk"]
    query = {name: visit.request.query_params.get(name, "") for name in ("q", "show", "cursor")}
    shown = query["show"] if query["show"] in _DONE else "open"
    page = await surface.services.listing.contacts(
        search=query["q"][:200], done=_DONE[shown], cursor=query["cursor"] or None, limit=PAGE_SIZE
    )
    await surface.names.refresh()
    return visit.page(
        "pages/contacts.html",
        contacts=page.items,
        names=surface.names,
        hue_of=hue_of,
        initials_of=initials_of,
        search=query["q"],
        show=shown,
        here=_link(query),
        tabs=[(label, _link(query, show=name, cursor=""), name == shown) for name, label in TABS],
        older=_link(query, cursor=page.next) if page.next else "",
        newer=_link(query, cursor="") if query["cursor"] else "",
        may_change=access.conversations.may_write(visit.principal),
    )


@post("/contacts/{contact_id:str}", opt={"scope": Scope.CONVERSATIONS_WRITE})
async def mark_contact(visit: Visit, contact_id: FromPath[str]) -> Response[str]:
    if not is_uuid(contact_id):
        raise NotFound("There is no such contact.")
    surface: DeskSurface = visit.ctx.services["desk"]
    form = await visit.form()
    done = form.text("done") == "yes"
    await surface.services.listing.mark_contact(contact_id, member_id=visit.member.id, done=done)
    back = local_path(form.text("back")) or _PATH
    return visit.redirect(back, "contact-done" if done else "contact-open")


def _link(query: dict[str, str], **changed: str) -> str:
    chosen = {name: value for name, value in (query | changed).items() if value}
    return f"{_PATH}?{urlencode(chosen)}" if chosen else _PATH


CONTACTS = (list_contacts, mark_contact)
