"""What every test may ask for.

Fixtures
    pair            a StorePair (tests/support/pair.py), migrated and fresh; the test runs once per pair:
                    "sqlite+memory" and "postgresql+nats".  Has .database_url .nats_url .nats_prefix .data .dialect,
                    .open_database() .make_bus() .settings(**fields) .environment(**variables)
    bare_pair       the same with an empty, unmigrated store
    sqlite_template folder of a migrated embedded store, to be copied (pair.copy_sqlite)
    sqlite_pair, postgres_pair
                    one migrated pair, for what concerns one store only
    shared_house, shared_sqlite_house
                    a running node (tests/support/node.py) for all tests of a module, on both pairs or the embedded one;
                    a test is a `guest` there.  Who asks for something `shared_` runs in the module's loop, and so
                    must its fixtures: `@pytest_asyncio.fixture(loop_scope="module")`
    postgres_server address of the run's PostgreSQL (database "postgres"): WARMLINE_TEST_DATABASE_URL, else our own
    nats_server     address of the run's NATS: WARMLINE_TEST_NATS_URL, else our own
    own_nats        .start() -> address and .stop() of a NATS of your own; it starts again on the same port
    clock           a ManualClock
    chromium        path of a Chromium; the test is skipped, loudly, where there is none
    browser         a Playwright (async) Browser on it, the module's loop again; open pages with `await browser.new_page()`

Helpers
    tests.support.server.serve(app)     an ASGI application on a real loopback port

Markers
    browser         put on everything that uses chromium or browser (done for you when the fixture is asked for)
    long            minutes; not in `make test`

Rules: coroutine tests need no marker; each has its own loop.  Warnings are errors.  Connections leave the test process
only to 127.0.0.1, ::1 and Unix sockets.  A test has 60 seconds.  Under xdist all workers share the servers, so a test
takes its database from a fixture, and names NATS subjects below `pair.nats_prefix`.
"""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.support import chromium as chromiums
from tests.support import nats, postgres
from tests.support.pair import NAMES, StorePair, copy_sqlite, migrate, sqlite_url
from tests.support.run_folder import RunFolder, find_place
from warmline.kernel.clock import ManualClock

if TYPE_CHECKING:
    from tests.support.node import Stage

NO_CHROMIUM = f"no Chromium: {chromiums.INSTALL}"

# Same examples in every run; `make test-long` looks further.
hypothesis.settings.register_profile("short", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("long", deadline=None, database=None, max_examples=2_000, print_blob=True)


# ------------------------------------------------------------------------------------------------- the run
def pytest_configure(config: pytest.Config) -> None:
    """The process that was started by hand (or by make) makes the run's folder; workers inherit it."""
    hypothesis.settings.load_profile("long" if config.getoption("-m") == "long" else "short")
    for name in [name for name in os.environ if name.startswith("WARMLINE_") and not _is_for_tests(name)]:
        del os.environ[name]  # a developer's own settings must not decide what the tests see
    if not hasattr(config, "workerinput"):
        config.stash[_RUN] = RunFolder.make()
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(find_place()))  # `tmp_path` lies there as well


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers of the run, after the last worker has ended."""
    run = config.stash.get(_RUN, None)
    if run is not None:
        given = os.environ.get("WARMLINE_TEST_DATABASE_URL")
        if given:
            postgres.drop(given, _template_name(run))
        run.remove()


_RUN = pytest.StashKey[RunFolder]()


def _template_name(run: RunFolder) -> str:
    return f"warmline_template_{run.path.name.rpartition('-')[2]}".lower()


def _is_for_tests(name: str) -> bool:
    return name.startswith("WARMLINE_TEST_") or name == "WARMLINE_CHROMIUM"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, what runs in the loop of its module and what shares a server, by what it asks for.

    What takes long comes first, so that the workers end together.
    """
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if {"chromium", "browser"} & asked:
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(180))  # several browsers at once on few cores
        shares = any(name.startswith("shared_") for name in asked)
        if (shares or "browser" in asked) and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)
        if shares or "demo" in asked:
            pair = item.callspec.params.get("module_pair", "") if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}{pair}"))
    items.sort(key=lambda item: not (item.get_closest_marker("browser") or item.get_closest_marker("timeout")))


def pytest_collection_finish() -> None:
    """What was loaded so far stays loaded: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Browser tests that did not run are listed where nobody overlooks them; failed ones in a file, for who asks for it."""
    wanted = os.environ.get("WARMLINE_TEST_FAILED")
    if wanted and not hasattr(terminalreporter.config, "workerinput"):
        bad = [one.nodeid for kind in ("failed", "error") for one in terminalreporter.stats.get(kind, [])]
        Path(wanted).write_text("".join(f"{nodeid}\n" for nodeid in dict.fromkeys(bad)), encoding="utf-8")
    skipped = [
        report.nodeid
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and NO_CHROMIUM in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.section("BROWSER TESTS SKIPPED: no Chromium", red=True, bold=True)
        terminalreporter.line(f"To run them, {chromiums.INSTALL}.  Not run:")
        for nodeid in skipped:
            terminalreporter.line(f"  {nodeid}")


# ------------------------------------------------------------------------------------------------- servers
@pytest.fixture(scope="session")
def postgres_server() -> str:
    """Address of a PostgreSQL on which databases may be made."""
    given = os.environ.get("WARMLINE_TEST_DATABASE_URL")
    return given or RunFolder.current().server("postgresql", postgres.start)


@pytest.fixture(scope="session")
def nats_server() -> str:
    """Address of a NATS server."""
    given = os.environ.get("WARMLINE_TEST_NATS_URL")
    return given or RunFolder.current().server("nats", nats.start)


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[nats.OwnServer]:
    """A NATS server that the test may stop and start again on the same port."""
    server = nats.OwnServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: str) -> str:
    """Name of a migrated database to copy; made once per run."""
    run = RunFolder.current()
    name = _template_name(run)
    with run.lock("postgresql-template"):
        if not postgres.exists(postgres_server, name):
            draft = f"{name}_draft"
            postgres.drop(postgres_server, draft)
            migrate(postgres.create(postgres_server, draft))
            postgres.rename(postgres_server, draft, name)
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a migrated embedded store to copy."""
    folder = tmp_path_factory.mktemp("template")
    migrate(sqlite_url(folder))
    return folder


# ----------------------------------------------------------------------------------------------- the pairs
def _pair(name: str, request: pytest.FixtureRequest, tmp_path: Path, *, migrated: bool) -> Iterator[StorePair]:
    data = tmp_path / "data"
    data.mkdir()
    unique = f"t{uuid.uuid4().hex[:16]}"
    if name == "sqlite+memory":
        if migrated:
            copy_sqlite(request.getfixturevalue("sqlite_template"), data)
        yield StorePair("sqlite+memory", data, sqlite_url(data), "", unique)
        return
    server: str = request.getfixturevalue("postgres_server")
    template: str | None = request.getfixturevalue("_postgres_template") if migrated else None
    url = postgres.create(server, unique, template=template)
    yield StorePair("postgresql+nats", data, url, request.getfixturevalue("nats_server"), unique)
    postgres.drop(server, unique)


@pytest.fixture(params=NAMES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePair]:
    """A fresh, migrated store and a bus."""
    yield from _pair(request.param, request, tmp_path, migrated=True)


@pytest.fixture(params=NAMES)
def bare_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePair]:
    """A fresh store without any table, and a bus."""
    yield from _pair(request.param, request, tmp_path, migrated=False)


@pytest.fixture
def sqlite_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePair]:
    """The embedded pair only."""
    yield from _pair("sqlite+memory", request, tmp_path, migrated=True)


@pytest.fixture
def postgres_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorePair]:
    """The cluster pair only."""
    yield from _pair("postgresql+nats", request, tmp_path, migrated=True)


@pytest.fixture(params=NAMES, scope="module")
def module_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePair]:
    """One migrated store and a bus for a whole module."""
    yield from _pair(request.param, request, tmp_path_factory.mktemp("pair"), migrated=True)


@pytest.fixture(scope="module")
def module_sqlite_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePair]:
    """The embedded pair only."""
    yield from _pair("sqlite+memory", request, tmp_path_factory.mktemp("pair"), migrated=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_house(module_pair: StorePair) -> AsyncIterator[Stage]:
    """A running node per pair."""
    from tests.support.node import housed

    async with housed(module_pair) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sqlite_house(module_sqlite_pair: StorePair) -> AsyncIterator[Stage]:
    """A running node on the embedded pair."""
    from tests.support.node import housed

    async with housed(module_sqlite_pair) as house:
        yield house


# ------------------------------------------------------------------------------------------- other parts
@pytest.fixture
def clock() -> ManualClock:
    """A clock that moves when told."""
    return ManualClock()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; skips where there is none."""
    path = chromiums.find_or_install(RunFolder.current())
    if path is None:
        pytest.skip(NO_CHROMIUM)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _running_chromium(chromium: str) -> AsyncIterator[Browser]:
    arguments = ["--disable-dev-shm-usage"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(_running_chromium: Browser) -> AsyncIterator[Browser]:
    """A running Chromium without any page; what the test leaves open is closed."""
    yield _running_chromium
    for context in _running_chromium.contexts:
        await context.close()
