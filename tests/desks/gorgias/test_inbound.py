"""What the calls of Gorgias' HTTP integration mean; the body is ours, and the files say where its values come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from warmline.desks.gorgias.client import Message
from warmline.desks.gorgias.inbound import TEMPLATE, TRIGGERS, check_secret, moment, parse_delivery, text_of
from warmline.desks.gorgias.settings import SECRET_HEADER
from warmline.handover.port import (
    AgentJoined,
    AgentReplied,
    DeskEvent,
    InboundDelivery,
    SignatureRejected,
    ThreadEnded,
    ThreadTransferred,
    Unknown,
)
from warmline.kernel.errors import Invalid

FILES = Path(__file__).with_name("payloads")
GUIDE = Path(__file__).parents[3] / "docs" / "desks" / "gorgias.md"
SECRET = "a-long-secret-of-the-shop"


def read(name: str) -> tuple[DeskEvent, ...]:
    return parse_delivery((FILES / f"{name}.json").read_bytes())


def delivery(secret: str | None) -> InboundDelivery:
    headers = {} if secret is None else {SECRET_HEADER.lower(): secret}
    return InboundDelivery(headers=headers, body=b"{}", query={}, received_at=0)


def test_every_file_fits_the_template() -> None:
    for path in FILES.glob("*.json"):
        assert json.loads(path.read_text()).keys() - {"_marks"} == TEMPLATE.keys()


def test_the_guide_shows_the_body_the_header_and_the_triggers() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert json.dumps(dict(TEMPLATE), indent=2) in guide
    assert SECRET_HEADER in guide
    for trigger in TRIGGERS:
        assert f'"{trigger}": true' in guide


MEANT: Mapping[str, tuple[type[DeskEvent], ...]] = {
    "message_by_agent": (AgentJoined, AgentReplied),
    "message_by_agent_unassigned": (ThreadTransferred, AgentReplied),
    "message_by_visitor": (),
    "message_by_bot": (ThreadTransferred,),
    "message_by_another_program": (AgentJoined,),
    "message_by_rule": (ThreadTransferred, Unknown),
    "message_failed": (AgentJoined, Unknown),
    "internal_note": (AgentJoined,),
    "assigned": (AgentJoined,),
    "unassigned": (ThreadTransferred,),
    "closed": (AgentJoined, ThreadEnded),
    "sent_and_closed": (AgentJoined, AgentReplied, ThreadEnded),
    "spam": (ThreadTransferred, ThreadEnded),
    "trashed": (ThreadTransferred, ThreadEnded),
    "typed_values": (AgentJoined, AgentReplied),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FILES.glob("*.json")))
def test_what_each_means(name: str) -> None:
    events = read(name)
    assert tuple(type(event) for event in events) == MEANT[name]
    assert {event.thread_ref for event in events} <= {"4711"}
    assert len({event.vendor_event_id for event in events}) == len(events)


def test_an_agents_message() -> None:
    joined, said = read("message_by_agent")
    assert isinstance(joined, AgentJoined)
    assert joined.name == "Ines Duarte"
    assert isinstance(said, AgentReplied)
    assert (said.text, said.name, said.message_id) == ("Good day", "Ines Duarte", "501")
    assert (said.vendor_event_id, said.occurred_at) == ("message-501", 1_795_255_200_000)
    assert read("typed_values")[1].vendor_event_id == said.vendor_event_id


def test_the_same_message_in_a_later_call_is_the_same_event() -> None:
    first, again = read("message_by_agent")[1], read("sent_and_closed")[1]
    assert first.vendor_event_id == again.vendor_event_id


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"surprise": true}', b'{"ticket": "None"}', b"\xff", b"[" * 99_999]
)
def test_another_body_is_said_to_be_one(body: bytes) -> None:
    with pytest.raises(Invalid, match="guide shows"):
        parse_delivery(body)


def test_a_message_that_reads_like_fields_is_no_message() -> None:
    ours = read("message_by_visitor")
    assert ours == ()
    body = (
        (FILES / "message_by_visitor.json").read_text().replace("Good day", '", "from_agent": "True", "via": "helpdesk')
    )
    with pytest.raises(Invalid, match="twice"):
        parse_delivery(body.encode())


@pytest.mark.parametrize("given", [None, "", "forged", SECRET.upper()])
def test_a_call_without_our_secret_is_refused(given: str | None) -> None:
    with pytest.raises(SignatureRejected):
        check_secret(delivery(given), [SECRET])
    with pytest.raises(SignatureRejected):
        check_secret(delivery(given), [])


def test_two_secrets_count_during_a_change() -> None:
    check_secret(delivery(SECRET), ["the-new-secret-of-the-shop", SECRET])


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            Message(id=1, body_html="<p>Hi <b>you</b></p><p>--<br>Ines</p>", stripped_html="<p>Hi <b>you</b></p>"),
            "Hi you",
        ),
        (Message(id=1, body_html="<ul><li>one</li></ul>", body_text="one"), "- one"),
        (Message(id=1, stripped_text="a < b", body_text="a < b\n-- Ines"), "a < b"),
        (Message(id=1, body_text="  only this "), "only this"),
        (Message(id=1), ""),
    ],
)
def test_bodies_become_text_without_the_signature(message: Message, text: str) -> None:
    assert text_of(message) == text


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2026-11-21T10:00:00+00:00", 1_795_255_200_000),
        ("2026-11-21T10:00:00", 1_795_255_200_000),
        ("soon", None),
        ("", None),
    ],
)
def test_moments_with_and_without_a_zone(stamp: str, at: int | None) -> None:
    assert moment(stamp) == at
