"""The index of conversations: rows from events, lists, and what an erasure leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.core import CRM, CRM_RUNG, DESK, DESK_RUNG, Core, open_core
from tests.support.pair import StorePair

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.index import MAX_SEARCH, MAX_SNIPPET, ConversationIndex, Row, apply_event
from warmline.conversations.listing import Filters, Listing
from warmline.conversations.tables import contacts, conversation_index, conversation_words
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Invalid, NotFound
from warmline.kernel.ids import uuid7

PAGE = e.Page(url="https://shop.example/lamp", title="Oak Lamp", language="en")


@pytest.fixture
async def core(pair: StorePair, clock: ManualClock) -> AsyncIterator[Core]:
    async with open_core(pair, clock, (CRM_RUNG, DESK_RUNG)) as opened:
        opened.consumers = [ConversationIndex()]
        yield opened


async def row_of(core: Core, conversation: str) -> Row:
    await core.catch_up()
    (row,) = [row for row in await core.rows(conversation_index) if row["conversation_id"] == conversation]
    return row


async def talk(core: Core) -> str:
    """A conversation with everything an index may hold."""
    conversation = await core.start(page=PAGE, widget_id="w1", external_id="crm-77")
    await core.says(conversation, "Where is my ORDER?")
    await core.ask(conversation)
    await core.do(
        conversation,
        c.DeskSays(connection_id=CRM, verb="queued", position=2),
        c.DeskSays(connection_id=CRM, verb="joined", agent=e.Agent(name="Ann Agent", id="a1")),
        c.DeskSays(connection_id=CRM, verb="replied", message_id=uuid7(), text="On its way"),
        c.LeaveContact(contact_id=uuid7(), name="Vera Visitor", email="vera@mail.example", phone="+1", text="call me"),
    )
    return conversation


async def test_the_row_follows_the_handover(core: Core) -> None:
    conversation = await core.start(page=PAGE)
    row = await row_of(core, conversation)
    assert (row["owner"], row["status"], row["stage"]) == ("bot", "open", None)
    core.clock.advance(5_000)
    await core.ask(conversation)
    row = await row_of(core, conversation)
    assert (row["owner"], row["stage"], row["rung_connection_id"]) == ("desk", "offered", CRM)
    assert row["waiting_since"] == row["started_at"] + 5_000
    await core.do(conversation, c.DeskSays(connection_id=CRM, verb="failed"))
    row = await row_of(core, conversation)
    assert (row["stage"], row["owner_epoch"]) == ("requested", 3)
    await core.do(
        conversation,
        c.AcceptOffer(epoch=3, thread_ref="t"),
        c.DeskSays(connection_id=DESK, verb="queued"),
        c.DeskSays(connection_id=DESK, verb="joined", agent=e.Agent(name="Ann", id="a1")),
    )
    row = await row_of(core, conversation)
    assert (row["stage"], row["rung_connection_id"], row["agent_name"]) == ("connected", DESK, "Ann")
    assert row["waiting_since"] is None
    await core.do(conversation, c.PutBack(epoch=3, by="a1"))
    row = await row_of(core, conversation)
    assert (row["stage"], row["agent_id"], row["owner_epoch"]) == ("queued", None, 4)
    await core.do(conversation, c.CancelHandover(by="visitor"))
    row = await row_of(core, conversation)
    assert (row["owner"], row["stage"], row["rung_connection_id"]) == ("bot", None, None)
    await core.do(conversation, c.Close(reason="visitor"))
    row = await row_of(core, conversation)
    assert (row["owner"], row["status"]) == ("nobody", "closed")
    state, seq = await core.conversations.snapshot(conversation)
    assert (row["owner_epoch"], row["seq"]) == (state.owner_epoch, seq)


async def test_in_any_batches_the_index_is_the_same_as_from_the_beginning(core: Core) -> None:
    conversation = await talk(core)
    await core.catch_up()
    await core.do(conversation, c.Close(reason="agent"))
    at_once = await row_of(core, conversation)
    row: Row | None = None
    for event in await core.events(conversation):
        row = apply_event(row, event)
    assert row == at_once


async def test_every_word_is_kept_for_searching_and_the_snippet_is_short(core: Core) -> None:
    conversation = await core.start(page=PAGE)
    await core.says(conversation, "x" * 3_990)
    await core.says(conversation, "THE newest words " + "y" * 500)
    row = await row_of(core, conversation)
    words = [found["words"] for found in await core.rows(conversation_words)]
    assert words == ["x" * 3_990, "the newest words " + "y" * 500]
    assert "oak lamp" in row["search"]
    assert len(row["search"]) <= MAX_SEARCH
    assert len(row["last_text"]) == MAX_SNIPPET


async def test_texts_a_store_refuses_do_not_hold_the_index_up(core: Core) -> None:
    conversation = await core.start(external_id="e" * 500)
    await core.says(conversation, "nul \0 in the text")
    await core.do(conversation, c.LeaveContact(contact_id=uuid7(), email="a\0@b.example"))
    row = await row_of(core, conversation)
    assert row["last_text"] == "nul  in the text"
    assert row["external_id"] == "e" * 200
    assert [contact["email"] for contact in await core.rows(contacts)] == ["a@b.example"]


async def test_an_erasure_takes_every_text_out_of_index_and_contacts(core: Core) -> None:
    kept, erased = await talk(core), await talk(core)
    before = await row_of(core, erased)
    assert {found["conversation_id"] for found in await core.rows(conversation_words)} == {kept, erased}
    await core.erase(erased)
    row = await row_of(core, erased)
    assert {found["conversation_id"] for found in await core.rows(conversation_words)} == {kept}
    left = " ".join(str(value) for value in row.values()).lower()
    for word in ("order", "oak", "shop.example", "vera", "ann agent", "on its way", "crm-77", "v1"):
        assert word not in left
    assert (row["messages"], row["started_at"], row["stage"]) == (2, before["started_at"], "connected")
    assert [contact["conversation_id"] for contact in await core.rows(contacts)] == [kept]
    assert (await row_of(core, kept))["visitor_name"] == "Vera Visitor"


async def test_an_erasure_leaves_no_word_in_the_file(sqlite_pair: StorePair, clock: ManualClock) -> None:
    async with open_core(sqlite_pair, clock, (CRM_RUNG, DESK_RUNG)) as core:
        core.consumers = [ConversationIndex()]
        erased = await talk(core)
        for _ in range(30):
            await core.catch_up()
            await core.says(erased, "a word that moves the row " * 20)
        await core.catch_up()
        await core.erase(erased)
        await core.catch_up()
    files = b"".join(file.read_bytes() for file in sqlite_pair.data.iterdir()).lower()
    for word in (b"where is my order", b"a word that moves", b"vera@mail.example", b"call me"):
        assert word not in files


async def test_an_index_built_anew_after_an_erasure_has_the_same_shape(core: Core) -> None:
    conversation = await talk(core)
    await core.erase(conversation)
    row: Row | None = None
    for event in await core.events(conversation):
        row = apply_event(row, event)
    built = await row_of(core, conversation)
    assert row is not None
    for field in ("status", "owner", "owner_epoch", "stage", "messages", "started_at", "seq", "last_text", "search"):
        assert row[field] == built[field], field


async def test_lists_page_by_activity_and_filter(core: Core) -> None:
    listing = Listing(core.journal, core.clock)
    made = []
    for number in range(5):
        core.clock.advance(1_000)
        made.append(await core.start(widget_id=f"w{number % 2}", visitor_id=f"v{number}"))
    core.clock.advance(1_000)
    await core.says(made[0], "the oldest speaks again about 100% wool")
    await core.ask(made[2])
    await core.do(made[1], c.Close(reason="visitor"))
    await core.catch_up()
    seen, cursor = [], None
    while True:
        page = await listing.conversations(cursor=cursor, limit=2)
        seen += [item.conversation_id for item in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5
    assert set(seen[:3]) == {made[0], made[1], made[2]}, "the latest activity comes first"

    async def ids(**fields: Any) -> set[str]:
        return {item.conversation_id for item in (await listing.conversations(Filters(**fields))).items}

    assert await ids(status="closed") == {made[1]}
    assert await ids(owner="desk", stage="offered", connection_id=CRM) == {made[2]}
    assert await ids(widget_id="w1") == {made[1], made[3]}
    assert await ids(search="Wool OLDEST") == {made[0]}
    assert await ids(search="100%") == {made[0]}
    assert await ids(search="1_0%") == set()
    found = await listing.find(made[2])
    assert found is not None
    assert found.stage == "offered"
    assert await listing.find("unknown") is None
    with pytest.raises(Invalid):
        await listing.conversations(cursor="%%%")


async def test_contacts_are_listed_searched_and_done(core: Core) -> None:
    listing = Listing(core.journal, core.clock)
    await talk(core)
    await core.catch_up()
    (contact,) = (await listing.contacts(search="VERA@", done=False)).items
    assert (contact.name, contact.phone, contact.text) == ("Vera Visitor", "+1", "call me")
    await listing.mark_contact(contact.id, member_id="a1")
    assert (await listing.contacts(done=False)).items == ()
    (done,) = (await listing.contacts(done=True)).items
    assert (done.done_at, done.done_by) == (core.clock.now(), "a1")
    await listing.mark_contact(contact.id, member_id="a1", done=False)
    assert len((await listing.contacts(done=False)).items) == 1
    assert (await listing.contacts(search="nobody")).items == ()
    with pytest.raises(NotFound):
        await listing.mark_contact("unknown", member_id="a1")
