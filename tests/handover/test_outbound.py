"""What one desk can carry of a message: links instead of files, and parts that are cut where a reader would pause."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.conversations import events as e
from warmline.desks.customcrm.desk import CustomCrmDesk
from warmline.handover.outbound import FilesOut, message_of, parts_of
from warmline.handover.port import File, OutboundMessage, Unreachable
from warmline.handover.text_parts import split_text
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Unavailable

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
FLAG = "\U0001f1e9\U0001f1ea"
WAVE = "\U0001f44b\U0001f3fd"


async def _read() -> bytes:
    return b"content"


LAMP = File(name="lamp.png", media_type="image/png", size=7, url="https://chat.example/files/1", read=_read)
MANIFEST = msgspec.structs.replace(CustomCrmDesk.manifest, text_limit=60)
WITHOUT_FILES = msgspec.structs.replace(
    MANIFEST, capabilities=msgspec.structs.replace(MANIFEST.capabilities, attachments=False)
)


def size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_a_desk_with_files_gets_them_with_the_last_part() -> None:
    item = OutboundMessage(id="m", seq=4, text="One. " * 20, at=9, attachments=(LAMP,))
    parts = parts_of(MANIFEST, item)
    assert [part.id for part in parts] == ["m", "m.2"]
    assert [part.attachments for part in parts] == [(), (LAMP,)]
    assert {(part.seq, part.at) for part in parts} == {(4, 9)}


def test_a_desk_without_files_gets_their_links_as_lines() -> None:
    item = OutboundMessage(id="m", seq=4, text="Look", attachments=(LAMP,))
    [part] = parts_of(WITHOUT_FILES, item)
    assert (part.text, part.attachments) == ("Look\nlamp.png: https://chat.example/files/1", ())
    [part] = parts_of(WITHOUT_FILES, replace(item, text=""))
    assert part.text == "lamp.png: https://chat.example/files/1"


def test_what_fits_stays_as_it_is() -> None:
    assert split_text("  a \n", None) == ("  a \n",)
    assert split_text("  a \n", 5) == ("  a \n",)


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("First words here.\n\nSecond. Third", 25, ["First words here.", "Second. Third"]),
        ("One line here\nand another one", 20, ["One line here", "and another one"]),
        ("A sentence here. Another one", 20, ["A sentence here.", "Another one"]),
        ("no pause but words here", 12, ["no pause but", "words here"]),
        ("مرحبا بالعالم كيف الحال؟ بخير", 26, ["مرحبا بالعالم كيف الحال؟", "بخير"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
        (FAMILY * 3, 12, [FAMILY] * 3),
        (FLAG * 5, 11, [FLAG * 2, FLAG * 2, FLAG]),
        (WAVE * 3, 7, [WAVE] * 3),
        ("e\u0301" * 4, 3, ["e\u0301"] * 4),
        ("\u1100\u1161\u11a8" * 2, 4, ["\u1100\u1161\u11a8"] * 2),
    ],
)
def test_texts_are_cut_where_a_reader_would_pause(text: str, limit: int, parts: list[str]) -> None:
    assert list(split_text(text, limit)) == parts


def test_the_longest_message_comes_in_parts_that_the_vendor_allows() -> None:
    text = " ".join(f"word{number} \U0001f600" for number in range(700))[:10_000]
    parts = split_text(text, 1_000)
    assert all(0 < size(part) <= 1_000 for part in parts)
    assert " ".join(parts) == text.strip()
    assert len(parts) <= 14


async def test_a_store_that_is_away_makes_the_desk_wait_and_not_lose_the_file() -> None:
    async def away(_file_id: str) -> bytes:
        raise Unavailable("The store for files cannot be reached.")

    body = e.MessagePosted(
        message_id="m",
        author="visitor",
        text="",
        attachments=(e.Attachment(id="f", name="lamp.png", media_type="image/png", size=7),),
    )
    event = Recorded(
        stream_kind="conversation",
        stream_id="c",
        seq=4,
        type=body.TYPE,
        version=1,
        at=9,
        actor="visitor:v",
        owner_epoch=1,
        raw=b"",
        body=body,
    )
    item = message_of(event, body, FilesOut(lambda one, at: f"https://chat.example/{one.id}/{at}", away))
    assert item.attachments[0].url == "https://chat.example/f/9"
    with pytest.raises(Unreachable) as caught:
        await item.attachments[0].read()
    assert caught.value.retryable


@given(st.text(min_size=1, max_size=300), st.integers(2, 40))
def test_nothing_but_white_space_is_lost_and_no_part_is_too_long(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(size(part) <= limit for part in parts)


@given(st.lists(st.sampled_from([FAMILY, FLAG, WAVE, "e\u0301", "x", "가", "\u0644\u064e"]), max_size=60))
def test_no_part_begins_inside_of_a_character(letters: list[str]) -> None:
    for part in split_text("".join(letters), 20)[1:]:
        assert unicodedata.category(part[0]) not in {"Mn", "Me", "Mc"}
        assert part[0] not in {"\u200d", "\U0001f3fd"}
