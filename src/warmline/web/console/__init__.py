"""The console: what agents, leads and administrators see.

``routes.create_console(ConsoleContext(…))`` gives the Litestar handlers.  A page is a handler that takes ``visit`` and
answers ``visit.page("pages/….html", …)``; ``opt={"scope": Scope.…}`` says who may come, and without it any member may.
"""
