"""The audit log: newest first, searchable, with the state of its chain."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import Response, get

from warmline.accounts import audit
from warmline.accounts.access import Scope
from warmline.web.console.visit import Visit

_SEE = {"scope": Scope.AUDIT_READ}
_PAGE = 50
_LONGEST = 100


@get("/audit", opt=_SEE)
async def list_audit(visit: Visit) -> Response[str]:
    query = visit.request.query_params
    search = query.get("q", "").strip()[:_LONGEST]
    before = query.get("before") or None
    entries, older = await visit.ctx.journal.read(
        lambda conn: audit.list_entries(conn, search=search, before=before, limit=_PAGE)
    )
    names = {member.actor: member.name for member in await visit.ctx.accounts.list_members(visit.principal)}
    return visit.page(
        "pages/audit.html",
        entries=entries,
        names=names,
        search=search,
        older=_address(q=search, before=older) if older else "",
        newer=_address(q=search) if before else "",
    )


@get("/audit/check", opt=_SEE)
async def check_audit(visit: Visit) -> Response[str]:
    breaks = await visit.ctx.journal.read(lambda conn: audit.verify(conn, audit.anchors(conn)))
    return visit.page("pages/audit_check.html", breaks=breaks, heads=await visit.ctx.journal.read(audit.heads))


def _address(**query: str | None) -> str:
    given = {name: value for name, value in query.items() if value}
    return "/console/audit" + (f"?{urlencode(given)}" if given else "")


AUDIT = (list_audit, check_audit)
