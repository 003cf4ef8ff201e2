"""The route of the console's static files."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from warmline.web.assets import Assets


def create_assets(assets: Assets) -> HTTPRouteHandler:
    """The one route that serves them."""

    @get("/assets/{digest:str}/{name:path}", include_in_schema=False, sync_to_thread=False)
    def asset(request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        accepted = request.headers.get("accept-encoding", "")
        body, media_type, headers = assets.find(digest, name.lstrip("/"), accepted)
        return Response(body, media_type=media_type, headers=headers)

    return asset
