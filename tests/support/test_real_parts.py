"""The fixtures themselves: the parts are real, fresh for each test, and out of reach for nobody else."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import nats
import psycopg
import pytest
from pytest_socket import SocketConnectBlockedError

from tests.support import chromium, postgres
from tests.support.nats import OwnServer
from tests.support.pair import StorePair
from tests.support.run_folder import VARIABLE, RunFolder
from warmline.platform import migrations


def test_databases_of_tests_are_separate(postgres_server: str) -> None:
    name = f"t_{os.getpid()}_separate"
    url = postgres.create(postgres_server, name)
    try:
        with psycopg.connect(url) as one:
            one.execute("CREATE TABLE seen (id int)")
        with psycopg.connect(postgres_server) as other:
            assert other.execute("SELECT to_regclass('seen')").fetchone() == (None,)
        copy = postgres.create(postgres_server, f"{name}_copy", template=name)
        with psycopg.connect(copy) as third:
            assert third.execute("SELECT count(*) FROM seen").fetchone() == (0,)
        postgres.drop(postgres_server, f"{name}_copy")
    finally:
        postgres.drop(postgres_server, name)
    assert not postgres.exists(postgres_server, name)


async def test_nats_carries_a_message(nats_server: str) -> None:
    client = await nats.connect(nats_server)
    subscription = await client.subscribe(f"tests.{os.getpid()}")
    await client.publish(f"tests.{os.getpid()}", b"hello")
    message = await subscription.next_msg(timeout=10)
    await client.close()
    assert message.data == b"hello"


async def test_own_nats_comes_back_on_its_port(own_nats: OwnServer) -> None:
    first = own_nats.start()
    own_nats.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(first.rpartition(":")[2]))
    assert own_nats.start() == first
    client = await nats.connect(first)
    await client.close()


def test_a_pair_is_migrated_and_its_settings_lead_to_it(pair: StorePair) -> None:
    database = pair.open_database()
    assert database.dialect == pair.dialect
    assert migrations.current(database) == migrations.head()
    database.close()
    settings = pair.settings(port=9_999)
    assert settings.store_url == pair.database_url
    assert (settings.nats_url, settings.port, settings.data) == (pair.nats_url, 9_999, pair.data)


async def test_both_ends_of_a_pairs_bus_meet(pair: StorePair) -> None:
    bus = pair.make_bus()
    await bus.start()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    await bus.subscribe("here.*", lambda _subject, data: heard.put_nowait(data))
    await bus.publish("here.now", b"hello")
    assert await asyncio.wait_for(heard.get(), 10) == b"hello"
    await bus.stop()


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_connection_leaves_the_machine() -> None:
    with pytest.raises(SocketConnectBlockedError), socket.socket() as outside:
        outside.connect(("192.0.2.1", 80))


def test_a_server_is_started_once_per_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "servers").mkdir()
    starts: list[Path] = []

    def start(folder: Path) -> tuple[int, str]:
        starts.append(folder)
        return 2**22 + 1, "scheme://somewhere"  # a pid no system gives

    assert RunFolder.current().server("thing", start) == "scheme://somewhere"
    assert RunFolder.current().server("thing", start) == "scheme://somewhere"
    assert [folder.parent for folder in starts] == [tmp_path]
    RunFolder.current().remove()
    assert not tmp_path.exists()


def test_a_named_chromium_that_is_not_there_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMLINE_CHROMIUM", "/nowhere/chromium")
    assert chromium.find() is None
