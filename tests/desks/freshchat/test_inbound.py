"""What Freshchat's deliveries mean; the files say whether they come from the documentation or were captured."""

from __future__ import annotations

import base64
import textwrap
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from warmline.desks.freshchat.inbound import Behind, behind, check_signature, parse_event, read_key
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    DeskEvent,
    EndReason,
    InboundDelivery,
    QueueMoved,
    SignatureRejected,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
    VendorFile,
)
from warmline.kernel.errors import Invalid

FILES = Path(__file__).with_name("payloads")
REF = "8f1b2c3d-0000-4000-8000-000000004711"
NOW = 1_795_255_200_000


def raw(name: str) -> bytes:
    return (FILES / f"{name}.json").read_bytes()


def read(name: str) -> DeskEvent | None:
    return parse_event(raw(name))


# -- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["message_by_agent", "message_by_agent_without_type"])
def test_an_agents_line(name: str) -> None:
    event = read(name)
    assert isinstance(event, AgentReplied)
    assert (event.thread_ref, event.text, event.message_id) == (REF, "Hello, I am Noor.", "m-1")
    assert (event.vendor_event_id, event.occurred_at, event.name) == ("m-1", NOW, "")
    assert behind(raw(name)) == Behind(agent_id="a-7", interaction_id="i-1")


def test_an_agents_files_come_with_their_addresses() -> None:
    event = read("message_by_agent_with_files")
    assert isinstance(event, AgentReplied)
    assert event.text == "Hello, I am Noor."
    assert event.files == (
        VendorFile(url="https://files.example/lamp.png?sig=1", name="lamp.png"),
        VendorFile(url="https://files.example/x", name="invoice.pdf", media_type="application/pdf", size=12),
        VendorFile(url="https://files.example/film.mp4", name="film.mp4", media_type="video/mp4"),
    )
    assert not behind(raw("message_by_agent_with_files")).lacks_addresses


def test_a_file_without_an_address_is_named_until_it_has_one() -> None:
    event = read("message_by_agent_with_late_file")
    assert isinstance(event, AgentReplied)
    assert (event.text, event.files) == ("invoice.pdf", ())
    assert behind(raw("message_by_agent_with_late_file")).lacks_addresses


def test_buttons_and_choices_become_lines() -> None:
    event = read("message_by_agent_with_button_and_choices")
    assert isinstance(event, AgentReplied)
    assert event.text == "The lamp: https://shop.example/lamp\n- Yes\n- No"


@pytest.mark.parametrize("name", ["message_by_user", "message_private", "message_bots_private_note"])
def test_our_own_lines_and_private_ones_are_dropped(name: str) -> None:
    assert read(name) is None


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("assigned", AgentJoined),
        ("assigned_to_another", AgentJoined),
        ("assigned_to_group", QueueMoved),
        ("unassigned", ThreadTransferred),
        ("transferred_to_group", ThreadTransferred),
        ("resolved_by_agent", ThreadEnded),
        ("resolved_by_system", ThreadEnded),
        ("reopened", QueueMoved),
    ],
)
def test_the_other_events(name: str, type_: type[DeskEvent]) -> None:
    event = read(name)
    assert type(event) is type_
    assert event is not None
    assert (event.thread_ref, event.occurred_at) == (REF, NOW)
    assert event.vendor_event_id


def test_who_resolved_it_says_how_it_ended() -> None:
    ends = [read(f"resolved_by_{who}") for who in ("agent", "system")]
    assert [end.reason for end in ends if isinstance(end, ThreadEnded)] == [EndReason.AGENT_LEFT, EndReason.IDLE]


@pytest.mark.parametrize("name", ["assigned_to_the_same", "assigned_to_nobody_new"])
def test_an_assignment_that_changes_nothing_for_the_visitor_says_nothing(name: str) -> None:
    assert read(name) is None


@pytest.mark.parametrize(
    ("name", "ref", "kind"),
    [
        ("message_by_system", REF, "message_create by system"),
        ("message_by_bot", REF, "message_create by bot"),
        ("message_by_agent_of_unknown_parts", REF, "message_create without known parts"),
        ("message_of_2018", f"{REF}-0001", "message_create without known parts"),
        ("of_an_unknown_action", REF, "conversation_summarised"),
        ("of_another_form", REF, "conversation_assignment"),
        ("of_nothing", "?", "account_changed"),
    ],
)
def test_what_nobody_has_a_word_for_is_kept_as_unknown(name: str, ref: str, kind: str) -> None:
    event = read(name)
    assert isinstance(event, Unknown)
    assert (event.thread_ref, event.kind, event.raw) == (ref, kind, raw(name))


def test_changes_of_one_moment_are_told_from_each_other() -> None:
    ids = {event.vendor_event_id for name in ("assigned", "unassigned", "assigned_to_another") if (event := read(name))}
    assert len(ids) == 3


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"action": 1}', b"\xff"])
def test_what_is_no_delivery_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_event(body)


# -- signatures ------------------------------------------------------------------------------------------------------


@cache
def pair(number: int) -> rsa.RSAPrivateKey:
    del number
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def shown(number: int, *, form: str = "lines") -> str:
    """The public key: SubjectPublicKeyInfo in an armour that says something else."""
    der = pair(number).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b64encode(der).decode()
    begin, end = "-----BEGIN RSA PUBLIC KEY-----", "-----END RSA PUBLIC KEY-----"
    lines = [begin, *textwrap.wrap(text, 64), end]
    if form == "honest":
        return pair(number).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return (
        {"lines": "\n", "spaces": " ", "escaped": "\\n"}[form].join(lines) if form != "one line" else begin + text + end
    )


def delivery(body: bytes, *, number: int = 1, header: str | None = None) -> InboundDelivery:
    signature = base64.b64encode(pair(number).sign(body, padding.PKCS1v15(), SHA256())).decode()
    headers = {"x-freshchat-signature": signature if header is None else header}
    return InboundDelivery(headers=headers, body=body, query={}, received_at=NOW)


@pytest.mark.parametrize("form", ["lines", "one line", "spaces", "escaped", "honest"])
def test_the_key_is_taken_as_it_comes(form: str) -> None:
    for body in (b"{}", '{"text": "안녕 😀 Grüße"}'.encode(), b'{"text":"\\ud83d\\ude00"}'):
        check_signature(delivery(body), [shown(1, form=form)])


def test_a_signature_counts_with_either_key_of_a_rotation() -> None:
    check_signature(delivery(b"{}"), [shown(2), shown(1)])


@pytest.mark.parametrize(
    "wrong",
    [
        delivery(b"{}", number=2),
        delivery(b"{}", header=""),
        delivery(b"{}", header="no base64 %"),
        delivery(b"{}", header=base64.b64encode(b"x" * 256).decode()),
        InboundDelivery(headers=delivery(b"{}").headers, body=b"{ }", query={}, received_at=NOW),
        InboundDelivery(headers={}, body=b"{}", query={}, received_at=NOW),
    ],
    ids=["other key", "empty", "no base64", "no signature", "other bytes", "missing"],
)
def test_other_signatures_are_refused(wrong: InboundDelivery) -> None:
    with pytest.raises(SignatureRejected):
        check_signature(wrong, [shown(1), "not a key"])
    with pytest.raises(SignatureRejected):
        check_signature(wrong, [])


def test_only_rsa_keys_are_keys() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    text = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for wrong in (text, "", "-----BEGIN RSA PUBLIC KEY-----AAAA-----END RSA PUBLIC KEY-----"):
        with pytest.raises(ValueError, match="this is no"):
            read_key(wrong)
