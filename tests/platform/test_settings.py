"""Settings: where they come from, and the sentences that stop a start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from warmline.kernel.errors import SettingsError
from warmline.platform.settings import find_file, load_settings, redacted


def load(**env: str) -> Any:
    return load_settings({f"WARMLINE_{name.upper()}": value for name, value in env.items()}, None)


def test_defaults_run_on_one_machine_without_anything_else() -> None:
    settings = load(data="/srv/warmline")
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.store_url == "sqlite:////srv/warmline/warmline.db"
    assert (settings.nats_url, settings.role, settings.conversation_idle_minutes) == ("", "all", 120)


def test_public_address_follows_the_port_until_it_is_set() -> None:
    assert load(port="9000").public_url == "http://127.0.0.1:9000"
    assert load(port="9000", public_url="https://chat.example.com/").public_url == "https://chat.example.com"


def test_variable_wins_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "warmline.toml"
    file.write_text('port = 7000\nhost = "0.0.0.0"\nallow_private_targets = ["crm.internal:8443", "10.1.0.0/16"]\n')
    settings = load_settings({"WARMLINE_PORT": "7001"}, file)
    assert (settings.port, settings.host) == (7001, "0.0.0.0")
    assert settings.allow_private_targets == ("crm.internal:8443", "10.1.0.0/16")


def test_empty_variable_is_not_set(tmp_path: Path) -> None:
    file = tmp_path / "warmline.toml"
    file.write_text("port = 7000\n")
    assert load_settings({"WARMLINE_PORT": ""}, file).port == 7000


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("port", "80a", "WARMLINE_PORT cannot be '80a'. It must be a whole number from 1 to 65535."),
        ("port", "0", "whole number from 1 to 65535"),
        ("refused_file_types", "exe", "It must be a list of media types like image/* or application/pdf."),
        ("scan_command", "scan 'open", "It must be a program and its arguments, or empty."),
        ("blobs_url", "https://bucket", "It must be an address like s3://bucket or s3://bucket/folder, or empty."),
        ("role", "boss", "WARMLINE_ROLE cannot be 'boss'. It must be all, web or worker."),
        ("allow_http_targets", "maybe", "true or false"),
        ("trusted_proxies", "10.0.0.0/8, nonsense", "a list of IP addresses or networks"),
        ("allow_private_targets", "crm.internal", "a list of host:port pairs or networks"),
        ("allow_private_targets", "crm.internal:99999", "a list of host:port pairs or networks"),
        ("public_url", "chat.example.com", "an address like https://chat.example.com"),
        ("public_url", "https://chat.example.com/sub?x=1", "an address like https://chat.example.com"),
        ("nats_url", "http://nats:4222", "an address like nats://nats.internal:4222"),
        ("host", "a\nb", "a text on one line"),
    ],
)
def test_bad_value_is_explained(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(**{name: value})
    assert expected in raised.value.detail


def test_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(SettingsError) as raised:
        load(prot="1")
    assert raised.value.detail == "There is no setting WARMLINE_PROT. Did you mean WARMLINE_PORT?"


def test_unknown_key_names_the_file_and_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "warmline.toml"
    file.write_text("public_ulr = 'https://x.example'\n")
    with pytest.raises(SettingsError) as raised:
        load_settings({}, file)
    assert raised.value.detail == f"There is no setting public_ulr (in {file}). Did you mean public_url?"


@pytest.mark.parametrize("content", ["port = true", "port = [1]", "host = 5", "trusted_proxies = 5", "data = ''"])
def test_wrong_toml_types_are_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "warmline.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match="It must be"):
        load_settings({}, file)


def test_broken_file_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "warmline.toml"
    file.write_text("port = = 1")
    with pytest.raises(SettingsError, match="is not valid TOML"):
        load_settings({}, file)


def test_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file({}) is None
    (tmp_path / "warmline.toml").touch()
    assert find_file({}) == Path("warmline.toml")
    with pytest.raises(SettingsError, match="does not exist"):
        find_file({"WARMLINE_CONFIG": str(tmp_path / "other.toml")})


def test_variables_of_the_tests_are_not_settings() -> None:
    load(test_database_url="postgresql://x", config="x.toml", chromium="/x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://warm:s3cret@db:5432/w", "postgresql://warm:***@db:5432/w"),
        ("postgresql://warm@/w?host=/run&password=s3cret", "postgresql://warm@/w?host=/run&password=***"),
        ("postgresql://warm@db/w", "postgresql://warm@db/w"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert redacted(load(database_url=url))["database_url"] == shown


def test_a_bad_address_does_not_repeat_its_password() -> None:
    with pytest.raises(SettingsError) as raised:
        load(database_url="mysql://warm:s3cret@db/w")
    assert "s3cret" not in raised.value.detail
    assert "WARMLINE_DATABASE_URL" in raised.value.detail


def test_a_secret_that_is_no_address_is_masked_as_a_whole() -> None:
    shown = redacted(load(blobs_secret="wJalr/XUtn", blobs_key_id="AKID"))
    assert (shown["blobs_secret"], shown["blobs_key_id"]) == ("***", "AKID")
    assert redacted(load())["blobs_secret"] == ""


def test_kinds_of_files_are_patterns() -> None:
    settings = load(allowed_file_types="Image/*, application/pdf", scan_command="scan --fast '/etc/my rules'")
    assert settings.allowed_file_types == ("image/*", "application/pdf")
    assert load().refused_file_types == ("application/x-executable",)
