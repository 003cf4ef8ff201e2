from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest

from warmline.kernel.clock import ManualClock
from warmline.platform.crypto import (
    KeyFileError,
    KeyMissing,
    Keyring,
    Undecryptable,
    hash_token,
    new_token,
    same,
    token_matches,
)

CONTEXT = "connection:7:secret"


def test_the_first_start_makes_a_key_file_that_only_the_owner_reads(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path, ManualClock())
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert ring.key_ids == (ring.current_id,)
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]
    content = json.loads((tmp_path / "keys.json").read_text())
    assert content["keys"][ring.current_id]["made_at"] == "2023-11-14T22:13:20.000Z"


def test_a_secret_comes_back_after_a_restart(tmp_path: Path) -> None:
    blob = Keyring.open(tmp_path).encrypt(b"s3cret \x00", CONTEXT)
    assert blob.startswith("wk1.k")
    assert "s3cret" not in blob
    assert Keyring.open(tmp_path).decrypt(blob, CONTEXT) == b"s3cret \x00"


def test_the_same_secret_never_looks_the_same(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    assert ring.encrypt(b"x", CONTEXT) != ring.encrypt(b"x", CONTEXT)


def test_a_secret_does_not_open_in_another_place(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    with pytest.raises(Undecryptable):
        ring.decrypt(ring.encrypt(b"x", CONTEXT), "connection:8:secret")


def test_every_changed_character_is_noticed(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    blob = ring.encrypt(b"hello", CONTEXT)
    start = blob.rindex(".") + 1
    # The last character of unpadded base64 may carry unused bits, so it is left out.
    for index in range(start, len(blob) - 1):
        changed = blob[:index] + ("A" if blob[index] != "A" else "B") + blob[index + 1 :]
        with pytest.raises(Undecryptable):
            ring.decrypt(changed, CONTEXT)


@pytest.mark.parametrize("tail", ["", "A", "!!!!", "AAAA", "é"])
def test_a_torn_blob_is_no_crash(tmp_path: Path, tail: str) -> None:
    ring = Keyring.open(tmp_path)
    with pytest.raises(Undecryptable):
        ring.decrypt(f"wk1.{ring.current_id}.{tail}", CONTEXT)


@pytest.mark.parametrize("blob", ["", "plain", "wk1.", "wk1..x", "wk1.k", "wk2.k.x"])
def test_what_is_no_blob_is_said_to_be_none(tmp_path: Path, blob: str) -> None:
    ring = Keyring.open(tmp_path)
    with pytest.raises(Undecryptable, match="Not an encrypted secret"):
        ring.decrypt(blob, CONTEXT)
    with pytest.raises(Undecryptable):
        ring.needs_reencryption(blob)


def test_rotation_keeps_old_secrets_readable_and_names_them_for_reencryption(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    old = ring.encrypt(b"x", CONTEXT)
    assert not ring.needs_reencryption(old)
    new_id = ring.rotate()
    assert ring.current_id == new_id
    assert len(ring.key_ids) == 2
    assert ring.needs_reencryption(old)
    assert ring.decrypt(old, CONTEXT) == b"x"
    assert not ring.needs_reencryption(ring.encrypt(b"x", CONTEXT))
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_a_running_process_meets_a_key_that_another_one_added(tmp_path: Path) -> None:
    running, other = Keyring.open(tmp_path), Keyring.open(tmp_path)
    other.rotate()
    blob = other.encrypt(b"new", CONTEXT)
    assert running.decrypt(blob, CONTEXT) == b"new"
    assert running.current_id == other.current_id


def test_two_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    one, two = Keyring.open(tmp_path), Keyring.open(tmp_path)
    threads = [threading.Thread(target=ring.rotate) for ring in (one, two) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Keyring.open(tmp_path).key_ids) == 9


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    rings: list[Keyring] = []
    threads = [threading.Thread(target=lambda: rings.append(Keyring.open(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ring.current_id for ring in rings}) == 1
    assert len(rings) == 8


def test_a_rotation_that_fails_halfway_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring.open(tmp_path)
    blob, before = ring.encrypt(b"x", CONTEXT), (tmp_path / "keys.json").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        ring.rotate()
    monkeypatch.undo()
    assert (tmp_path / "keys.json").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys.json"]
    assert Keyring.open(tmp_path).decrypt(blob, CONTEXT) == b"x"


def test_retiring_removes_old_keys_and_a_missing_key_says_what_is_lost(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    old_id, old = ring.current_id, ring.encrypt(b"x", CONTEXT)
    ring.rotate()
    assert ring.retire() == (old_id,)
    with pytest.raises(KeyMissing) as caught:
        ring.decrypt(old, CONTEXT)
    assert str(tmp_path / "keys.json") in caught.value.detail
    assert CONTEXT in caught.value.detail
    assert "enter the secret again" in caught.value.detail


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_key_file_that_others_may_touch_stops_the_start(tmp_path: Path, mode: int) -> None:
    Keyring.open(tmp_path)
    (tmp_path / "keys.json").chmod(mode)
    with pytest.raises(KeyFileError, match=r"chmod 600 .*keys\.json"):
        Keyring.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"version":1,"current":"k1","keys":{}}',
        '{"version":2,"current":"k1","keys":{"k1":{"key":"AAAA","made_at":""}}}',
        '{"version":1,"current":"k1","keys":{"k1":{"key":"AAAA","made_at":""}}}',
    ],
)
def test_a_damaged_key_file_stops_the_start_and_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="restore it from a backup"):
        Keyring.open(tmp_path)
    assert path.read_text() == content


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="nowhere"):
        Keyring.open(tmp_path / "nowhere")


def test_a_key_file_that_vanished_is_named_when_it_is_needed(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    (tmp_path / "keys.json").unlink()
    with pytest.raises(KeyFileError, match="restore it from a backup"):
        ring.decrypt("wk1.kffffffff.AAAA", CONTEXT)


def test_tokens_are_random_and_matched_by_their_hash() -> None:
    token = new_token("wl_")
    assert token.startswith("wl_")
    assert token != new_token("wl_")
    assert len(hash_token(token)) == 64
    assert token_matches(token, hash_token(token))
    assert not token_matches(token + "x", hash_token(token))
    assert not token_matches("ключ", hash_token(token))
    with pytest.raises(ValueError, match="16"):
        new_token(size=8)


def test_comparison_takes_texts_and_bytes() -> None:
    assert same("é", "é".encode())
    assert not same("a", "b")
    assert not same("a", "aa")


def test_a_tag_proves_one_thing_for_one_purpose(tmp_path: Path) -> None:
    ring = Keyring.open(tmp_path)
    tag = ring.tag(b"file 1", "link")
    assert ring.tag_matches(tag, b"file 1", "link")
    assert ring.tag(b"file 1", "link") == tag
    for other, context in ((b"file 2", "link"), (b"file 1", "cookie")):
        assert not ring.tag_matches(tag, other, context)
    for forged in ("", ".", tag[:-1], tag.partition(".")[2], "k0." + tag.partition(".")[2], "\u0661." + tag):
        assert not ring.tag_matches(forged, b"file 1", "link")


def test_tags_live_as_long_as_their_key_also_in_another_process(tmp_path: Path) -> None:
    ring, other = Keyring.open(tmp_path), Keyring.open(tmp_path)
    before = ring.tag(b"x", "link")
    ring.rotate()
    after = ring.tag(b"x", "link")
    assert before != after
    assert other.tag_matches(after, b"x", "link")
    assert ring.tag_matches(before, b"x", "link")
    ring.retire()
    assert not ring.tag_matches(before, b"x", "link")
    assert ring.tag_matches(after, b"x", "link")
