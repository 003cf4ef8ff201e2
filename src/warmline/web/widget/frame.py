"""The page inside the iframe, and who may embed it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from warmline.web.widget import texts

if TYPE_CHECKING:
    from warmline.conversations.widgets import Widget

_environment = Environment(
    loader=PackageLoader("warmline.web.widget", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def policy(ancestors: Iterable[str], socket_origins: Iterable[str]) -> bytes:
    """The Content-Security-Policy of a page of ours in a frame on ``ancestors`` (exact origins, ``'self'`` or ``*``)."""
    # 'self' covers ws: in today's browsers, older ones want the WebSocket's origin by name.
    connect = " ".join(["'self'", *socket_origins])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data: blob:; "
        f"connect-src {connect}; frame-ancestors {' '.join(ancestors)}; base-uri 'none'; form-action 'none'"
    ).encode("latin-1")


def frame_page(widget: Widget, *, base: str, static: str, origin: str, accept_language: str) -> str:
    """The chat's page for an embedding page at ``origin`` (which must have been checked)."""
    language = texts.choose(widget.look.language, accept_language)
    return _environment.get_template("frame.html").render(
        language=language,
        dir=texts.direction(language),
        title=widget.look.title,
        base=base,
        static=base + static,
        widget_id=widget.id,
        origin=origin,
        texts=texts.table(language),
    )


def refused_page(widget_name: str, origin: str | None, static: str) -> str:
    """What stands in the frame when its page's origin is not allowed: which one to add, and where."""
    return _environment.get_template("refused.html").render(widget=widget_name, origin=origin, static=static)
