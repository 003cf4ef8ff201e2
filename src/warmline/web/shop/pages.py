"""Lumen & Oak, the shop of the demo.  Only the demo serves it: it stands at ``/``.

The shop knows of Warmline what every page knows: the address of the server and the id of a widget.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from warmline.kernel.errors import NotFound
from warmline.web.front import RawRoute
from warmline.web.problems import NOSNIFF, Receive, Scope, Send, send_bytes
from warmline.web.security import header, parse_origin
from warmline.web.widget.assets import load_assets

HOME = "/"
PRODUCTS = "/products/"
STATIC = "/shop/static/"
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    NOSNIFF,
]
_IMMUTABLE = b"public, max-age=31536000, immutable"

_environment = Environment(
    loader=PackageLoader("warmline.web.shop", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of a product's table."""

    name: str
    value: str


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing the shop would sell.  ``price`` is as shown; the picture is ``{slug}.svg``."""

    slug: str
    name: str
    kind: str
    price: str
    line: str
    story: str
    tone: str
    facts: tuple[Fact, ...]


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    products: tuple[Product, ...]


def load_products() -> tuple[Product, ...]:
    """What stands in the catalogue file, in its order."""
    text = (resources.files("warmline.web.shop") / "products.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(text, type=_Catalogue).products


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLink:
    """A simulated helpdesk: the vendor's name, and where its agent works."""

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the shop's links lead: the widget it embeds, and the demo's other windows (absolute addresses)."""

    public_url: str
    widget_id: str
    crm_url: str
    desks: tuple[DeskLink, ...] = ()


class Shop:
    """The shop's pages and files."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._products = {product.slug: product for product in load_products()}
        self._files = load_assets(resources.files("warmline.web.shop") / "static")
        total = hashlib.sha256()
        for name in sorted(self._files):
            total.update(name.encode() + b"\0" + self._files[name].body)
        self._digest = total.hexdigest()[:16]

    def routes(self) -> list[RawRoute]:
        """The routes, for the front of the server."""
        return [
            RawRoute(path=HOME, method="GET", handler=self.home),
            RawRoute(path=PRODUCTS, method="GET", handler=self.product, prefix=True),
            RawRoute(path=STATIC, method="GET", handler=self.static, prefix=True),
        ]

    async def home(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The start page."""
        await self._send(scope, send, "home.html", products=tuple(self._products.values()))

    async def product(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """One product; a page that says so with 404 when there is no such thing."""
        product = self._products.get(scope["path"].removeprefix(PRODUCTS))
        if product is None:
            await self._send(scope, send, "lost.html", status=404, products=tuple(self._products.values())[:3])
            return
        others = [other for other in self._products.values() if other is not product][:3]
        await self._send(scope, send, "product.html", product=product, products=others)

    async def static(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """A style sheet or a picture, under an address that names the content of them all.  Raises NotFound."""
        digest, _, name = scope["path"].removeprefix(STATIC).partition("/")
        file = self._files.get(name)
        if file is None:
            raise NotFound("There is no such file.")
        cache = _IMMUTABLE if digest == self._digest else b"no-cache"
        await send_bytes(send, 200, file.body, [(b"content-type", file.media_type), (b"cache-control", cache), NOSNIFF])

    async def _send(self, scope: Scope, send: Send, template: str, *, status: int = 200, **values: Any) -> None:
        root = urlsplit(self._places.public_url).path.rstrip("/")
        page = _environment.get_template(template).render(
            base=self._base(scope, root),
            root=root,
            static=f"{root}{STATIC}{self._digest}",
            widget_id=self._places.widget_id,
            crm_url=self._places.crm_url,
            desks=self._places.desks,
            **values,
        )
        await send_bytes(send, status, page.encode(), _PAGE_HEADERS)

    def _base(self, scope: Scope, root: str) -> str:
        # A demo is opened as localhost, as 127.0.0.1 or by the machine's name: the loader comes from the same origin
        # as the page, which is what the policy allows.
        host = (header(scope, b"host") or b"").decode("latin-1")
        origin = parse_origin(f"{scope['scheme']}://{host}")
        return f"{origin}{root}" if origin else self._places.public_url.rstrip("/")
