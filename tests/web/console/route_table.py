"""The console's routes as the framework has them: tests walk this table, so a route that is added is tried as well."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from warmline.web import framework, server
from warmline.web.console.admission import PUBLIC
from warmline.web.late import LateApplication

_PARAMETER = re.compile(r"\{(\w+):\w+\}")
STREAMS = ("/console/stream", "/console/live")


@dataclass(frozen=True)
class Address:
    """One method of one path; ``scope`` is the permission its handler declares ("" when it declares none)."""

    method: str
    path: str
    scope: str
    public: bool

    def filled(self, **values: str) -> str:
        """The path with these values for its parameters; "nothing" for those not given."""
        of_connection = self.path.startswith("/console/connections")

        def fill(found: re.Match[str]) -> str:
            name = "wire_key_id" if of_connection and found[1] == "key_id" else found[1]
            return values.get(name, "nothing")

        return _PARAMETER.sub(fill, self.path)


class RouteTable:
    """Filled when an application is built while the patch is in force."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._apps: list[Litestar] = []

        def build(*arguments: Any, **named: Any) -> Litestar:
            self._apps.append(Litestar(*arguments, **named))
            return self._apps[-1]

        class AtOnce(LateApplication):
            def __init__(self, make: Callable[[], Litestar]) -> None:
                super().__init__(make)
                self.made()

        monkeypatch.setattr(framework, "Litestar", build)
        monkeypatch.setattr(server, "LateApplication", AtOnce)

    def addresses(self, *methods: str) -> list[Address]:
        """Every address of the console with one of these methods, all when none is named."""
        found = [
            Address(method, route.path, str(handler.opt.get("scope") or ""), bool(handler.opt.get(PUBLIC)))
            for app in self._apps
            for route in app.routes
            if isinstance(route, HTTPRoute) and (route.path + "/").startswith("/console/")
            for handler in route.route_handlers
            for method in sorted(handler.http_methods)
            if method != "OPTIONS" and not route.path.endswith(":path}")
        ]
        assert len(found) > 40, found
        # Signing out comes last: what is tried after it would be tried by nobody.
        found.sort(key=lambda address: (address.path == "/console/sign-out", address.path, address.method))
        return [address for address in found if not methods or address.method in methods]
