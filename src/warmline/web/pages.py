"""Everything the framework serves: the console and our own API.  Loaded with the framework, when somebody asks."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from warmline.web.api.routes import api_router
from warmline.web.api.services import Services
from warmline.web.console.administration_pages import ADMINISTRATION
from warmline.web.console.contacts import CONTACTS
from warmline.web.console.context import ConsoleContext
from warmline.web.console.conversations import CONVERSATIONS
from warmline.web.console.conversations_stream import STREAM
from warmline.web.console.desk import DESK
from warmline.web.console.files import FILES
from warmline.web.console.routes import create_console


def page_handlers(console: ConsoleContext, api: Services, *, scale: int) -> list[ControllerRouterHandler]:
    """The handlers; ``scale`` multiplies the API's rate limits."""
    pages = (*STREAM, *FILES, *DESK, *CONVERSATIONS, *CONTACTS, *ADMINISTRATION)
    return [*create_console(console, pages), api_router(api, scale=scale)]
