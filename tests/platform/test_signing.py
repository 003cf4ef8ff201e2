from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from warmline.kernel.clock import SystemClock
from warmline.kernel.errors import Invalid
from warmline.platform.signing import SignatureRejected, Signer, decode_secret, new_secret, sign, verify

NOW = 1_700_000_000_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


@given(st.binary(max_size=400))
def test_what_we_sign_we_accept(body: bytes) -> None:
    assert verify([SECRET], sign([SECRET], "msg_1", NOW, body), body, now=NOW) == "msg_1"


def test_the_published_library_accepts_our_signature() -> None:
    body = '{"type":"message.posted","text":"grüß dich"}'
    headers = sign([OTHER, SECRET], "msg_1", SystemClock().now(), body.encode())
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(body, headers) == {"type": "message.posted", "text": "grüß dich"}


def test_we_accept_the_published_library() -> None:
    body, at = '{"a":1}', datetime.fromtimestamp(NOW / 1000, UTC)
    headers = {
        "Webhook-Id": "msg_2",
        "Webhook-Timestamp": str(NOW // 1000),
        "Webhook-Signature": Webhook(SECRET).sign("msg_2", at, body),
    }
    assert verify([SECRET], headers, body.encode(), now=NOW) == "msg_2"


def test_the_published_test_vector() -> None:
    # From the specification's reference implementations.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = Signer([secret]).headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330_000, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_during_a_rotation_either_side_may_be_first() -> None:
    body = b"{}"
    both = sign([OTHER, SECRET], "msg_1", NOW, body)
    assert both["webhook-signature"].count("v1,") == 2
    for known in ([SECRET], [OTHER], [OTHER, SECRET]):
        assert verify(known, both, body, now=NOW) == "msg_1"
    assert verify([SECRET, OTHER], sign([SECRET], "msg_1", NOW, body), body, now=NOW) == "msg_1"
    with pytest.raises(SignatureRejected):
        verify([new_secret()], both, body, now=NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "msg_2"),
        ("webhook-timestamp", str(NOW // 1000 + 1)),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v1a," + "A" * 44),
        ("webhook-signature", ""),
        ("webhook-signature", "ünïcode"),
    ],
)
def test_a_changed_header_is_rejected(name: str, value: str) -> None:
    headers = sign([SECRET], "msg_1", NOW, b"{}") | {name: value}
    with pytest.raises(SignatureRejected, match="None of the signatures"):
        verify([SECRET], headers, b"{}", now=NOW)


def test_a_changed_body_is_rejected() -> None:
    with pytest.raises(SignatureRejected):
        verify([SECRET], sign([SECRET], "msg_1", NOW, b"{}"), b"{ }", now=NOW)


def test_without_a_secret_nothing_is_accepted() -> None:
    with pytest.raises(SignatureRejected):
        verify([], sign([SECRET], "msg_1", NOW, b"{}"), b"{}", now=NOW)


def test_a_flood_of_signatures_is_not_worked_through() -> None:
    headers = sign([SECRET], "msg_1", NOW, b"{}")
    headers["webhook-signature"] = "v1,AAAA " * 16 + headers["webhook-signature"]
    with pytest.raises(SignatureRejected):
        verify([SECRET], headers, b"{}", now=NOW)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = sign([SECRET], "msg_1", NOW, b"{}")
    del headers[missing]
    with pytest.raises(SignatureRejected, match=missing):
        verify([SECRET], headers, b"{}", now=NOW)


@pytest.mark.parametrize("off", [-300_000, 0, 300_000])
def test_five_minutes_are_tolerated_both_ways(off: int) -> None:
    assert verify([SECRET], sign([SECRET], "msg_1", NOW + off, b""), b"", now=NOW) == "msg_1"


@pytest.mark.parametrize("off", [-301_000, 301_000])
def test_more_is_a_replay(off: int) -> None:
    with pytest.raises(SignatureRejected, match="timestamp"):
        verify([SECRET], sign([SECRET], "msg_1", NOW + off, b""), b"", now=NOW)


@pytest.mark.parametrize("stamp", ["", "1e9", "-1", "١٧٠٠٠٠٠٠٠٠", "9" * 5000, " 1700000000"])
def test_a_timestamp_is_plain_digits(stamp: str) -> None:
    headers = sign([SECRET], "msg_1", NOW, b"") | {"webhook-timestamp": stamp}
    with pytest.raises(SignatureRejected, match="timestamp"):
        verify([SECRET], headers, b"", now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_AAAA", "whsec_" + "A" * 88, "sécret"])
def test_a_bad_secret_is_refused_with_its_path(secret: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_secret(secret)
    assert caught.value.fields["path"] == "$.secret"


def test_signing_needs_a_secret_and_a_clean_id() -> None:
    with pytest.raises(Invalid):
        Signer([])
    for bad in ("", "a.b", "a\nb", "é"):
        with pytest.raises(ValueError, match="message id"):
            Signer([SECRET]).headers(bad, NOW, b"")


def test_new_secrets_are_usable_and_differ() -> None:
    assert len(decode_secret(new_secret())) == 32
    assert new_secret() != new_secret()


def test_a_secret_that_is_none_silences_nobody_beside_it() -> None:
    headers = sign([SECRET], "msg_1", NOW, b"{}")
    for none in ("", "whsec_not base64!", "whsec_c2hvcnQ=", "wärme"):
        assert verify([none, SECRET], headers, b"{}", now=NOW) == "msg_1"
        assert verify([SECRET, none], headers, b"{}", now=NOW) == "msg_1"
        with pytest.raises(SignatureRejected):
            verify([none], headers, b"{}", now=NOW)
