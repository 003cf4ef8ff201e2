"""The console: what agents, leads and administrators see.

``create_console(ConsoleContext(…))`` gives the Litestar handlers.  A page is a handler that takes ``visit`` and answers
``visit.page("pages/….html", …)``; ``opt={"scope": Scope.…}`` says who may come, and without it any member may.
"""

from warmline.web.console.context import ConsoleContext
from warmline.web.console.live import Fragment, Live
from warmline.web.console.routes import create_console
from warmline.web.console.visit import Visit

__all__ = ["ConsoleContext", "Fragment", "Live", "Visit", "create_console"]
