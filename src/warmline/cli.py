"""The ``warmline`` command.  Each command loads what it needs only when it runs, so that ``--help`` is instant."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError

from warmline import __version__
from warmline.kernel.errors import SettingsError, WarmlineError
from warmline.platform.sentences import explain
from warmline.platform.settings import Settings, find_file, load_settings

BAD_SETTINGS = 2
FAILED = 1

_EPILOGUE = (
    "Settings come from environment variables WARMLINE_… and from warmline.toml in the current folder (or the file named "
    "by WARMLINE_CONFIG); warmline.default.toml explains each. Try `warmline demo` first."
)

app = App(
    name="warmline",
    help="Warmline hands a conversation from a bot to a person, and loses nothing on the way.",
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    version=__version__,
    result_action="return_value",
)
keys = App(name="keys", help="The keys that encrypt the secrets of connections.", help_format="plaintext")
app.command(keys)


@app.command
def serve() -> None:
    """Start the server and keep it running until Ctrl-C or SIGTERM.

    Brings the store to the newest schema first. With PostgreSQL and NATS set, any number of servers can share the
    work (WARMLINE_ROLE says what this one does).
    """
    settings = _settings()
    _set_up_logging(settings)
    from warmline.app import run_server

    run_server(settings)


@app.command
def demo(*, desk: list[str] | None = None) -> None:
    """Start a complete example: a shop with the chat widget, the console, and a sample CRM with an agent.

    Everything is kept in the data folder (WARMLINE_DATA, else ./data). The addresses and the sign-in are printed.
    Ctrl-C stops it.

    Parameters
    ----------
    desk
        A simulated helpdesk to come first, for example dixa; several with commas. `warmline simulate` lists them.
    """
    settings = _settings()
    _set_up_logging(settings)
    from warmline.demo import run_demo

    run_demo(settings, desk or ())


@app.command
def migrate() -> None:
    """Bring the store to the schema of this version, and say what was done.

    `warmline serve` does the same when it starts; run this by itself to upgrade before the servers are replaced.
    """
    settings = _settings()
    from warmline.platform import migrations
    from warmline.platform.data_folder import open_data_folder
    from warmline.platform.database import Database

    open_data_folder(settings.data)
    database = Database.open(settings.store_url)
    try:
        applied = migrations.upgrade(database)
    finally:
        database.close()
    for version in applied:
        print(f"✓ {version}")
    if not applied:
        print(f"✓ The store is already at {migrations.head()}.")


@app.command
def doctor() -> int:
    """Show the settings in effect and check everything the server depends on.

    Checks the data folder, the key file, the store, the bus, the clock, the public address, and that nobody has
    changed the audit log. Changes nothing.
    Exit code 0 when nothing is wrong, 1 otherwise.
    """
    settings = _settings()
    from warmline.accounts.audit_diagnosis import diagnose_audit
    from warmline.platform.diagnosis import diagnose, settings_lines
    from warmline.platform.log import set_up_logging

    set_up_logging(level="error", format=settings.log_format)  # the findings say what a warning would
    for line in settings_lines(settings, find_file(os.environ)):
        print(line)
    print()
    failed = False
    findings = asyncio.run(diagnose(settings))
    if not any(finding.failed and finding.about == "store" for finding in findings):
        findings += diagnose_audit(settings)
    for finding in findings:
        print(finding)
        failed = failed or finding.failed
    return FAILED if failed else 0


@app.command
def simulate(name: str = "", /, *, host: str = "127.0.0.1", port: int | None = None, webhook_url: str = "") -> None:
    """Run a simulated helpdesk, so that a handover can be tried without an account there.

    It serves the vendor's documented API, checks credentials and schemas, sends webhooks, and has a page on which you
    are the agent and can order trouble. Without a name, lists the simulators. Nothing is kept; Ctrl-C stops it.

    Parameters
    ----------
    name
        Which one, for example dixa.
    host
        Address to listen on. Whoever reaches it can be the agent.
    port
        Port to listen on; each simulator has one of its own, 0 takes a free one.
    webhook_url
        Where its webhooks go: the address that the connection in Warmline shows.
    """
    from warmline.simulators.run import listing, run

    if not name:
        print("Simulators, each started by `warmline simulate NAME` on the port shown:")
        print(*listing(), sep="\n")
        print("Or with a shop and a widget around it, connected already: `warmline demo --desk NAME`.")
        return
    run(name, host=host, port=port, webhook_url=webhook_url)


@app.command
def check(
    desk: str = "",
    /,
    *,
    case: list[str] | None = None,
    connection: str = "",
    trace: bool = False,
    report: Path | None = None,
    store: str = "",
    bus: str = "",
) -> int:
    """Hold a desk to the conformance kit: order, loss, repeats, signatures, restarts, endings, content, secrecy.

    Starts the vendor's simulator and a Warmline of its own in a temporary folder, plays every case through the public
    surfaces, and prints what came of each. Without a desk, lists the desks and the cases.
    Exit code 0 when nothing failed, 1 otherwise.

    Parameters
    ----------
    desk
        Which one, for example dixa.
    case
        Only this case; may be given several times.
    connection
        Id of a connection of this installation: its real account is asked, instead of a simulator, for what can be tried
        without an agent. Changes nothing there unless --trace is given. Stop a server that uses the embedded store first.
    trace
        With --connection: open a conversation there, write into it, and close it.
    report
        A file that gets the results as JSON.
    store
        Address of an empty PostgreSQL database to try it on, instead of the embedded store.
    bus
        Address of a NATS server, instead of the embedded bus.
    """
    from warmline.conformance.command import check_connection, check_desk, print_desks

    if not desk:
        print_desks()
        return 0
    if connection:
        return 0 if check_connection(_settings(), desk, connection, traces=trace, report_to=report) else FAILED
    return 0 if check_desk(desk, case or [], report_to=report, store=store, bus=bus) else FAILED


@keys.command
def rotate() -> None:
    """Make a new key, and encrypt every stored secret with it.

    While a server uses the embedded store, it does the second part itself when it starts the next time. Older keys stay
    in the key file for backups made before. Back up the key file afterwards: without it every stored secret of a
    connection is lost.
    """
    settings = _settings()
    from warmline.platform.crypto import Keyring
    from warmline.platform.data_folder import open_data_folder

    open_data_folder(settings.data)
    keyring = Keyring.open(settings.data)
    made = keyring.rotate()
    print(
        f"✓ New secrets are encrypted with key {made}. The key file {keyring.path} holds {len(keyring.key_ids)} keys."
    )
    from warmline.app import reseal

    try:
        print(f"✓ Encrypted again with it: {asyncio.run(reseal(settings))} connections.")
    except WarmlineError as error:
        if error.code != "store_in_use":
            raise
        print(f"· Stored secrets are encrypted again when the server starts the next time. ({error.detail})")
    print("  Back the key file up, apart from the store.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 good, 1 failed, 2 wrong settings or command line)."""
    try:
        result = app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        return BAD_SETTINGS  # already explained
    except SettingsError as error:
        _say(error.detail)
        return BAD_SETTINGS
    except WarmlineError as error:
        _say(error.detail)
        return FAILED
    except KeyboardInterrupt:
        return 130  # what a shell expects of a program ended by Ctrl-C
    except Exception as error:  # noqa: BLE001 - the operator gets a sentence; the trace is one variable away
        if os.environ.get("WARMLINE_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        _say(_sentence(error))
        return FAILED
    return result if isinstance(result, int) else 0


def _settings() -> Settings:
    return load_settings(os.environ, find_file(os.environ))


def _set_up_logging(settings: Settings) -> None:
    from warmline.platform.log import set_up_logging

    set_up_logging(level=settings.log_level, format=settings.log_format)


def _sentence(error: Exception) -> str:
    return f"{explain(error)} (WARMLINE_LOG_LEVEL=debug shows where.)"


def _say(sentence: str) -> None:
    print(f"warmline: {sentence}", file=sys.stderr)
