"""What of the console is seen outside its own addresses: the product's icon, and the page for what is not there."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

from warmline.web.console.context import ConsoleContext
from warmline.web.console.forms import Form
from warmline.web.error_pages import Problem, Render
from warmline.web.front import RawRoute
from warmline.web.problems import NOSNIFF, Receive, Scope, Send, send_bytes

ICON_PATH = "/favicon.ico"
_ICON = Path(__file__).parent / "static" / "favicon.ico"
_CACHED = (b"cache-control", b"public, max-age=86400")


def error_page(ctx: ConsoleContext) -> Render:
    """Draws problems for whoever meets them, signed in or not: it says nothing of the one or the other."""
    nobody = SimpleNamespace(signed_in=None)

    @lru_cache(maxsize=32)
    def render(problem: Problem) -> str:
        return ctx.renderer.render(
            "errors/error.html",
            error=problem,
            reference=problem.reference,
            visit=nobody,
            form=Form(),
            flash=None,
            theme="",
            direction="ltr",
        )

    return render


def icon_route() -> RawRoute:
    """``/favicon.ico``, which browsers ask for on every page that names no icon.  Raises OSError without the file."""
    body = _ICON.read_bytes()

    async def send_icon(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_bytes(send, 200, body, [(b"content-type", b"image/x-icon"), NOSNIFF, _CACHED])

    return RawRoute(path=ICON_PATH, method="GET", handler=send_icon)
