"""The audit log: whatever is done to its rows afterwards is found."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.accounts.office import Office

from warmline.accounts import audit as log
from warmline.accounts.access import SYSTEM
from warmline.accounts.audit import ChainBreak, Head
from warmline.accounts.model import AuditEntry, Role
from warmline.accounts.tables import audit, audit_anchors

CHANGES: dict[str, Any] = {
    "id": "00000000-0000-7000-8000-000000000000",
    "at": 1,
    "actor": "member:somebody-else",
    "action": "member.enabled",
    "object_kind": "key",
    "object_id": "another",
    "detail": '{"role":"agent"}',
    "prev_hash": "1" * 64,
    "hash": "2" * 64,
}


@pytest.fixture
async def chain(small_office: Office) -> Office:
    """An office with seven rows of one node and one of another."""
    await write(small_office, "one", range(7))
    await write(small_office, "two", range(1))
    return small_office


async def write(office: Office, node: str, numbers: range) -> None:
    def run(conn: sa.Connection) -> None:
        for number in numbers:
            record(conn, node, number)

    await office.journal.write(run)


def record(conn: sa.Connection, node: str, number: int) -> None:
    log.record(
        conn,
        node=node,
        at=1_000 + number,
        actor="system",
        action="member.created",
        object_kind="member",
        object_id=f"m{number}",
        detail={"role": "agent", "by": "ü"},
    )


async def breaks(office: Office, anchors: list[Head] | None = None) -> list[ChainBreak]:
    return await office.journal.read(lambda conn: log.verify(conn, anchors))


async def heads(office: Office) -> list[Head]:
    return await office.journal.read(log.heads)


async def tamper(office: Office, *statements: sa.Executable) -> None:
    def run(conn: sa.Connection) -> None:
        for statement in statements:
            conn.execute(statement)

    await office.journal.write(run)


def of(seq: int) -> sa.ColumnElement[bool]:
    return (audit.c.node == "one") & (audit.c.seq == seq)


async def test_an_untouched_chain_is_believed(chain: Office) -> None:
    assert await breaks(chain) == []
    ends = await heads(chain)
    assert [(head.node, head.seq) for head in ends] == [("one", 7), ("two", 1)]
    assert await breaks(chain, ends) == []


def test_every_column_is_tried() -> None:
    assert set(CHANGES) | {"node", "seq"} == {column.name for column in audit.c}


async def test_every_changed_field_is_found(chain: Office) -> None:
    def change_and_look(conn: sa.Connection) -> dict[tuple[str, int], list[ChainBreak]]:
        found = {}
        for column, value in CHANGES.items():
            for seq in (1, 4, 7):
                with conn.begin_nested() as undone:
                    conn.execute(sa.update(audit).where(of(seq)).values({column: value}))
                    found[column, seq] = log.verify(conn)
                    undone.rollback()
        return found

    found = await chain.journal.write(change_and_look)
    assert len(found) == 3 * len(CHANGES)
    for (column, seq), [broken] in found.items():
        assert (broken.node, broken.seq) == ("one", seq), column
    assert await breaks(chain) == []


@pytest.mark.parametrize("seq", [1, 3, 6])
async def test_a_removed_row_is_found(chain: Office, seq: int) -> None:
    await tamper(chain, sa.delete(audit).where(of(seq)))
    assert await breaks(chain) == [ChainBreak("one", seq + 1, "rows are missing before this one")]


async def test_a_removed_row_is_found_also_when_the_rest_moves_up(chain: Office) -> None:
    moves = [sa.update(audit).where(of(seq)).values(seq=seq - 1) for seq in range(4, 8)]
    await tamper(chain, sa.delete(audit).where(of(3)), *moves)
    assert [(found.node, found.seq) for found in await breaks(chain)] == [("one", 3)]


async def test_rows_in_another_order_are_found(chain: Office) -> None:
    swap = [
        sa.update(audit).where(of(2)).values(seq=99),
        sa.update(audit).where(of(5)).values(seq=2),
        sa.update(audit).where(of(99)).values(seq=5),
    ]
    await tamper(chain, *swap)
    assert [(found.node, found.seq) for found in await breaks(chain)] == [("one", 2)]


async def test_a_row_moved_to_another_node_is_found(chain: Office) -> None:
    await tamper(chain, sa.update(audit).where(of(7)).values(node="two", seq=2))
    assert [(found.node, found.seq) for found in await breaks(chain)] == [("two", 2)]


async def test_a_row_that_was_forged_with_a_right_digest_breaks_the_one_behind_it(chain: Office) -> None:
    def forge(conn: sa.Connection) -> None:
        row = dict(conn.execute(sa.select(audit).where(of(4))).one()._mapping) | {"actor": "member:innocent"}
        conn.execute(sa.update(audit).where(of(4)).values(actor=row["actor"], hash=log._hash(row)))

    await chain.journal.write(forge)
    assert [(found.node, found.seq) for found in await breaks(chain)] == [("one", 5)]


async def test_a_cut_end_is_found_by_its_anchor(chain: Office) -> None:
    anchors = await heads(chain)
    await tamper(chain, sa.delete(audit).where(audit.c.node == "one", audit.c.seq > 5))
    assert await breaks(chain) == []
    assert await breaks(chain, anchors) == [ChainBreak("one", 7, "rows are missing at the end")]


async def test_a_whole_chain_that_is_gone_is_found_by_its_anchor(chain: Office) -> None:
    anchors = await heads(chain)
    await tamper(chain, sa.delete(audit).where(audit.c.node == "two"))
    assert await breaks(chain, anchors) == [ChainBreak("two", 1, "rows are missing at the end")]


async def test_an_end_written_anew_is_found_by_its_anchor(chain: Office) -> None:
    anchors = await heads(chain)
    await tamper(chain, sa.delete(audit).where(of(7)))
    await write(chain, "one", range(99, 100))
    assert await breaks(chain) == []
    assert await breaks(chain, anchors) == [ChainBreak("one", 7, "the row differs from its anchor")]


async def test_old_anchors_hold_while_the_chain_grows(chain: Office) -> None:
    anchors = await heads(chain)
    await write(chain, "one", range(3))
    assert await breaks(chain, anchors) == []


async def anchored(office: Office, at: int = 5_000) -> list[ChainBreak]:
    """Anchor as the server does each hour; what checking against every stored anchor finds."""
    await office.journal.write(lambda conn: log.anchor(conn, at))
    return await against_anchors(office)


async def against_anchors(office: Office) -> list[ChainBreak]:
    return await office.journal.read(lambda conn: log.verify(conn, log.anchors(conn)))


async def test_anchors_are_kept_and_only_added(office: Office) -> None:
    await write(office, "one", range(3))
    assert await anchored(office) == []
    assert await anchored(office, 6_000) == []
    await write(office, "one", range(3, 5))
    await write(office, "two", range(1))
    assert await anchored(office, 7_000) == []
    kept = {(row["node"], row["seq"]): row["at"] for row in await office.rows(audit_anchors)}
    assert kept == {("one", 3): 5_000, ("one", 5): 7_000, ("two", 1): 7_000}
    for change in (
        sa.update(audit_anchors).values(hash="0" * 64),
        sa.delete(audit_anchors),
        sa.delete(audit_anchors).where(audit_anchors.c.seq == 3),
    ):
        with pytest.raises(sa.exc.DBAPIError, match="only added"):
            await tamper(office, change)
    assert len(await office.rows(audit_anchors)) == 3


async def test_a_row_changed_behind_its_anchor_is_found(office: Office) -> None:
    await write(office, "one", range(5))
    assert await anchored(office) == []
    await tamper(office, sa.update(audit).where(of(3)).values(actor="member:somebody-else"))
    assert [(one.node, one.seq) for one in await against_anchors(office)] == [("one", 3)]


async def test_an_end_cut_off_or_written_anew_is_found_by_the_stored_anchor(office: Office) -> None:
    await write(office, "one", range(5))
    assert await anchored(office) == []
    await tamper(office, sa.delete(audit).where(audit.c.node == "one", audit.c.seq >= 4))
    assert await breaks(office) == []  # the chain alone does not tell
    assert [one.reason for one in await against_anchors(office)] == ["rows are missing at the end"]
    await write(office, "one", range(10, 13))
    assert await breaks(office) == []
    found = await anchored(office, 6_000)  # a later anchor does not take the place of the first
    assert [(one.seq, one.reason) for one in found] == [(5, "the row differs from its anchor")]


async def test_a_chain_longer_than_one_read_is_followed(small_office: Office) -> None:
    await write(small_office, "one", range(1_050))
    assert await breaks(small_office) == []
    await tamper(small_office, sa.update(audit).where(of(1_001)).values(actor="x"))
    assert await breaks(small_office) == [ChainBreak("one", 1_001, "the row was changed")]


async def test_what_is_refused_leaves_no_row(office: Office) -> None:
    def fails(conn: sa.Connection) -> None:
        record(conn, "one", 1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await office.journal.write(fails)
    assert await office.log() == []


async def test_what_members_and_keys_do_is_written_with_ids_only(office: Office) -> None:
    boss = await office.member("boss@desk.example", Role.ADMIN, "Ana Secret")
    signed_in, _token = await office.sign_in("boss@desk.example")
    await office.accounts.change_name(signed_in, "Bea Secret")
    made = await office.keys.create(SYSTEM, kind="v1", label="Secret label", scopes=["audit:read"])
    await office.keys.revoke(SYSTEM, made.record.id)
    actions = [entry.action for entry in await office.log()]
    assert actions == ["member.created", "session.started", "member.renamed", "key.created", "key.revoked"]
    written = str(await office.rows(audit))
    assert "Secret" not in written
    assert "@" not in written
    assert made.token not in written
    assert boss.id in written
    assert await breaks(office) == []


async def test_the_list_is_newest_first_in_pages_and_searchable(chain: Office) -> None:
    async def entries(**query: Any) -> tuple[list[AuditEntry], str | None]:
        return await chain.journal.read(lambda conn: log.list_entries(conn, **query))

    found: list[str] = []
    before: str | None = None
    while True:
        page, before = await entries(before=before, limit=3)
        assert len(page) <= 3
        found += [entry.id for entry in page]
        if before is None:
            break
    assert found == sorted(found, reverse=True)
    assert len(found) == 8
    for search, count in (("M3", 1), ("member.CREATED", 8), ("%", 0), ("_", 0), ("m' OR 1=1 --", 0), ("ü", 0)):
        matching, _more = await entries(search=search)
        assert len(matching) == count, search
