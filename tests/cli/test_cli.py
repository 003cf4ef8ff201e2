"""The command line as a stranger meets it: a process, its output and its exit code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support.command import fork, start
from tests.support.pair import StorePair

from warmline.accounts import audit, tables
from warmline.kernel.errors import SettingsError
from warmline.platform import migrations
from warmline.platform.data_folder import open_data_folder


def test_help_names_every_command(tmp_path: Path) -> None:
    done = start("--help", folder=tmp_path)
    assert done.returncode == 0
    for command in ("serve", "demo", "migrate", "doctor", "keys", "simulate"):
        assert command in done.stdout
    assert "warmline.default.toml" in done.stdout


@pytest.mark.parametrize("command", [["serve"], ["demo"], ["migrate"], ["doctor"], ["keys", "rotate"], ["simulate"]])
def test_each_command_explains_itself_and_does_nothing_else(tmp_path: Path, command: list[str]) -> None:
    done = fork(*command, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert len(done.stdout.split()) > 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"WARMLINE_PROT": "1"}, "warmline: There is no setting WARMLINE_PROT. Did you mean WARMLINE_PORT?\n"),
        ({"WARMLINE_CONFIG": "no.toml"}, "warmline: WARMLINE_CONFIG names the file no.toml, which does not exist.\n"),
    ],
)
def test_wrong_settings_stop_every_start_with_a_sentence(
    tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    for command in ("serve", "demo", "migrate", "doctor"):
        done = fork(command, folder=tmp_path, **variables)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)
    assert list(tmp_path.iterdir()) == []


def test_unknown_command_is_explained(tmp_path: Path) -> None:
    done = start("sevre", folder=tmp_path)
    assert done.returncode == 2
    assert "sevre" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_and_doctor_on_a_new_store(bare_pair: StorePair, tmp_path: Path) -> None:
    variables = bare_pair.environment()
    before = start("doctor", folder=tmp_path, **variables)
    assert "Traceback" not in before.stderr
    if bare_pair.dialect == "postgresql":
        assert before.returncode == 1
        assert f"schema missing, expected {migrations.head()}. Run: warmline migrate" in before.stdout

    first = start("migrate", folder=tmp_path, **variables)
    assert (first.returncode, first.stderr) == (0, "")
    assert f"✓ {migrations.head()}" in first.stdout.splitlines()
    second = start("migrate", folder=tmp_path, **variables)
    assert second.stdout == f"✓ The store is already at {migrations.head()}.\n"

    after = start("doctor", folder=tmp_path, **variables)
    assert after.returncode == 0, after.stdout + after.stderr
    assert f"answers, schema {migrations.head()}." in after.stdout
    assert "✗" not in after.stdout


def test_doctor_checks_the_audit_log_against_its_anchors(pair: StorePair, tmp_path: Path) -> None:
    database = pair.open_database()
    with database.engine.begin() as connection:
        for number in range(4):
            audit.record(
                connection, node="n", at=number, actor="system", action="a", object_kind="k", object_id=str(number)
            )
        audit.anchor(connection, 10)
    database.close()
    good = fork("doctor", folder=tmp_path, **pair.environment())
    assert good.returncode == 0, good.stdout
    assert "Whole, and as its anchors say (rows: 4, chains: 1, anchors: 1)." in good.stdout

    database = pair.open_database()
    with database.engine.begin() as connection:
        connection.execute(sa.delete(tables.audit).where(tables.audit.c.seq == 4))
    database.close()
    bad = fork("doctor", folder=tmp_path, **pair.environment())
    assert (bad.returncode, bad.stderr) == (1, "")
    assert "✗ audit log       Chain n is broken at row 4: rows are missing at the end." in bad.stdout


def test_doctor_changes_nothing(tmp_path: Path) -> None:
    done = fork("doctor", folder=tmp_path, WARMLINE_DATA=str(tmp_path / "new"))
    assert done.returncode == 0
    assert "the first start makes it" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_doctor_works_beside_a_running_server(sqlite_pair: StorePair, tmp_path: Path) -> None:
    running = sqlite_pair.open_database()
    try:
        done = fork("doctor", folder=tmp_path, **sqlite_pair.environment())
        refused = fork("migrate", folder=tmp_path, **sqlite_pair.environment())
    finally:
        running.close()
    assert done.returncode == 0, done.stdout
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("warmline: Another Warmline process is using the data in")


def test_doctor_names_what_is_wrong(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "keys.json").touch(mode=0o644)
    (data / "keys.json").chmod(0o644)
    done = fork(
        "doctor",
        folder=tmp_path,
        WARMLINE_DATA=str(data),
        WARMLINE_DATABASE_URL="postgresql://warm:s3cret@127.0.0.1:1/none",
        WARMLINE_NATS_URL="nats://127.0.0.1:1",
        WARMLINE_PUBLIC_URL="http://127.0.0.1:1",
        WARMLINE_BLOBS_URL="s3://files",
        WARMLINE_BLOBS_ENDPOINT="http://127.0.0.1:1",
        WARMLINE_BLOBS_KEY_ID="key",
        WARMLINE_BLOBS_SECRET="s3cret",
    )
    assert done.returncode == 1
    marks = {line[2:17].strip(): line[0] for line in done.stdout.splitlines() if line[:1] in set("✓✗!")}
    wrong = dict.fromkeys(("key file", "store", "files", "bus"), "✗")
    assert marks == {"data folder": "✓", "public address": "!"} | wrong
    assert "chmod 600" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_reached_is_a_sentence(tmp_path: Path) -> None:
    done = fork("migrate", folder=tmp_path, WARMLINE_DATABASE_URL="postgresql://warm:s3cret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("warmline: ")
    assert len(done.stderr.splitlines()) == 1
    assert "s3cret" not in done.stderr


def test_keys_are_rotated_and_named(tmp_path: Path) -> None:
    first = start("keys", "rotate", folder=tmp_path)
    second = start("keys", "rotate", folder=tmp_path)
    file = tmp_path / "data" / "keys.json"
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"{file} holds 3 keys" in second.stdout
    assert file.stat().st_mode & 0o777 == 0o600


COMMANDS = (["serve"], ["demo"], ["migrate"], ["keys", "rotate"])


def check_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One sentence that has these words, and a bad exit code."""
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stdout + done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("warmline: ")]
    assert all(word in sentence for word in words), sentence
    assert "Errno" not in sentence


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_for_a_data_folder_is_a_sentence(tmp_path: Path, command: list[str], below: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    done = fork(*command, folder=tmp_path, WARMLINE_DATA=str(file / below))
    check_sentence(done, f"WARMLINE_DATA is {file}", "is a file", "Name a folder")
    assert done.returncode == 2
    assert file.read_text() == "mine"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, command: list[str]) -> None:
    done = fork(*command, folder=tmp_path, WARMLINE_DATA="/proc/warmline/data")
    check_sentence(done, "WARMLINE_DATA is /proc/warmline/data", "cannot be made")


def test_a_data_folder_that_may_not_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anywhere
    with pytest.raises(SettingsError, match="this user may not write there"):
        open_data_folder(tmp_path)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("what", ["noise", "half", "folder"])
def test_a_damaged_database_file_is_a_sentence(tmp_path: Path, command: list[str], what: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = data / "warmline.db"
    if what == "folder":
        store.mkdir()
    elif what == "noise":
        store.write_bytes(os.urandom(8_192))
    else:
        assert fork("migrate", folder=tmp_path, WARMLINE_DATA=str(data)).returncode == 0
        whole = store.read_bytes()
        store.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    done = fork(*command, folder=tmp_path, WARMLINE_DATA=str(data))
    check_sentence(done, str(store), "Restore it from a backup")
    found = fork("doctor", folder=tmp_path, WARMLINE_DATA=str(data))
    assert found.returncode == 1
    assert "✗ store" in found.stdout
    assert "Traceback" not in found.stdout + found.stderr


def test_damage_that_shows_later_is_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert fork("migrate", folder=tmp_path, WARMLINE_DATA=str(data)).returncode == 0
    store = data / "warmline.db"
    whole = store.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    store.write_bytes(whole[: 20 * page] + b"\xff" * (len(whole) - 20 * page))
    done = fork("serve", folder=tmp_path, WARMLINE_DATA=str(data))
    check_sentence(done, "database", "Restore it from a backup")
