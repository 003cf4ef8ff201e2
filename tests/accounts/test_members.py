"""Members: one per address, a role each, never without an administrator, powerless once disabled."""

from __future__ import annotations

import asyncio

import pytest
from tests.accounts.office import PASSWORD, Office

from warmline.accounts.access import SYSTEM, member_principal
from warmline.accounts.model import Member, Role, check_password, parse_email, parse_line
from warmline.accounts.tables import members, sessions
from warmline.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized


@pytest.mark.parametrize(
    "again", ["mina@desk.example", "MINA@Desk.Example", "  Mina@desk.example ", "mına@desk.example"]
)
async def test_an_address_belongs_to_one_member_however_it_is_written(office: Office, again: str) -> None:
    await office.member("Mina@desk.example")
    if "ı" in again:  # another letter is another address
        await office.member(again)
        return
    with pytest.raises(Conflict) as refused:
        await office.member(again)
    assert (refused.value.code, refused.value.fields["path"]) == ("email_taken", "$.email")
    assert len(await office.rows(members)) == 1


async def test_letters_that_look_the_same_are_the_same_address(office: Office) -> None:
    composed, apart = "andr\u00e9@desk.example", "andre\u0301@desk.example"
    await office.member(composed)
    with pytest.raises(Conflict):
        await office.member(apart)
    signed_in, _token = await office.sign_in(apart)
    assert signed_in.member.email == composed
    await office.member("stra\u00dfe@desk.example")
    with pytest.raises(Conflict):
        await office.member("STRASSE@desk.example")


async def test_of_many_who_add_the_same_address_at_once_one_succeeds(office: Office) -> None:
    results = await asyncio.gather(*(office.member() for _ in range(8)), return_exceptions=True)
    assert [type(result) for result in results].count(Member) == 1
    assert {result.code for result in results if isinstance(result, Conflict)} == {"email_taken"}
    assert len(await office.log("member.created")) == 1


async def test_the_first_member_is_administrator_and_there_is_one_first(office: Office) -> None:
    assert not await office.accounts.has_members()
    results = await asyncio.gather(
        *(office.accounts.sign_up_first_member(f"m{n}@desk.example", "M", PASSWORD) for n in range(5)),
        return_exceptions=True,
    )
    made = [result for result in results if isinstance(result, Member)]
    assert [member.role for member in made] == [Role.ADMIN]
    assert {result.code for result in results if isinstance(result, Conflict)} == {"already_set_up"}
    assert await office.accounts.has_members()


async def test_the_last_administrator_stays(office: Office) -> None:
    boss = await office.member("boss@desk.example", Role.ADMIN)
    agent = await office.member("agent@desk.example")
    for change in (
        office.accounts.change_role(SYSTEM, boss.id, Role.LEAD),
        office.accounts.change_role(member_principal(boss), boss.id, Role.AGENT),
        office.accounts.set_enabled(SYSTEM, boss.id, enabled=False),
    ):
        with pytest.raises(Conflict) as refused:
            await change
        assert refused.value.code == "last_admin"
    assert (await office.accounts.get_member(boss.id)).role == Role.ADMIN
    await office.accounts.set_enabled(SYSTEM, agent.id, enabled=False)
    await office.accounts.change_role(SYSTEM, agent.id, Role.ADMIN)
    with pytest.raises(Conflict):  # a disabled administrator is nobody in charge
        await office.accounts.change_role(SYSTEM, boss.id, Role.LEAD)
    await office.accounts.set_enabled(SYSTEM, agent.id, enabled=True)
    await office.accounts.change_role(SYSTEM, boss.id, Role.LEAD)


async def test_two_administrators_who_disable_each_other_at_once_leave_one(office: Office) -> None:
    one = await office.member("one@desk.example", Role.ADMIN)
    two = await office.member("two@desk.example", Role.ADMIN)
    results = await asyncio.gather(
        office.accounts.set_enabled(member_principal(one), two.id, enabled=False),
        office.accounts.set_enabled(member_principal(two), one.id, enabled=False),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]


async def test_a_disabled_member_is_signed_out_and_cannot_come_back_or_act(office: Office) -> None:
    mina = await office.member(role=Role.ADMIN)
    await office.member("boss@desk.example", Role.ADMIN)
    _signed_in, token = await office.sign_in()
    await office.accounts.set_enabled(SYSTEM, mina.id, enabled=False)
    assert await office.accounts.find_session(token) is None
    assert await office.rows(sessions) == []
    with pytest.raises(Unauthorized) as refused:
        await office.sign_in()
    assert refused.value.code == "sign_in_refused"
    powerless = member_principal(await office.accounts.get_member(mina.id))
    assert powerless.scopes == frozenset()
    with pytest.raises(Forbidden):
        await office.accounts.list_members(powerless)
    await office.accounts.set_enabled(SYSTEM, mina.id, enabled=True)
    assert await office.accounts.find_session(token) is None
    await office.sign_in()


async def test_a_new_role_holds_from_the_next_request_on(office: Office) -> None:
    mina = await office.member()
    _signed_in, token = await office.sign_in()
    assert (found := await office.accounts.find_session(token))
    assert found.member.role == Role.AGENT
    await office.accounts.change_role(SYSTEM, mina.id, Role.LEAD)
    assert (found := await office.accounts.find_session(token))
    assert found.member.role == Role.LEAD


@pytest.mark.parametrize("role", [Role.AGENT, Role.LEAD])
async def test_only_administrators_change_members(small_office: Office, role: Role) -> None:
    who = await small_office.principal(role)
    other = await small_office.member()
    accounts = small_office.accounts
    for forbidden in (
        accounts.create_member(who, "new@desk.example", "New", Role.ADMIN, PASSWORD),
        accounts.change_role(who, who.actor.removeprefix("member:"), Role.ADMIN),
        accounts.set_enabled(who, other.id, enabled=False),
    ):
        with pytest.raises(Forbidden):
            await forbidden
    assert {row["role"] for row in await small_office.rows(members)} == {role, Role.AGENT}
    if role == Role.LEAD:
        assert len(await accounts.list_members(who)) == 2
    else:
        with pytest.raises(Forbidden):
            await accounts.list_members(who)


async def test_who_does_not_exist_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound):
        await office.accounts.get_member("nobody")
    with pytest.raises(NotFound):
        await office.accounts.change_role(SYSTEM, "nobody", Role.LEAD)
    with pytest.raises(NotFound):
        await office.accounts.set_enabled(SYSTEM, "nobody", enabled=False)


@pytest.mark.parametrize(
    "email",
    [
        "",
        " ",
        "mina",
        "@desk.example",
        "mina@",
        "a@b@c",
        "mina @desk.example",
        "mi\nna@desk.example",
        "<a>@b",
        "a\x00@b",
    ],
)
def test_what_is_no_address_is_refused_by_name(email: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_email(email)
    assert refused.value.fields["path"] == "$.email"
    assert len(parse_email("a" * 250 + "@b.c")) == 254
    with pytest.raises(Invalid):
        parse_email("a" * 251 + "@b.c")


def test_names_are_one_printable_line() -> None:
    assert parse_line("  Mina \n Okafor\t", path="$.name", longest=80) == "Mina Okafor"
    for bad in ("", "   ", "a" * 81, "a\x07b", "a\x00b", "\ud800", "\ue000"):
        with pytest.raises(Invalid) as refused:
            parse_line(bad, path="$.name", longest=80)
        assert refused.value.fields["path"] == "$.name"


@pytest.mark.parametrize(
    "password",
    ["short", "a" * 257, "Password123", "aaaaaaaaaaaa", "mina@desk.example", "MINA@desk.example", "1234567890"],
)
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password, email="mina@desk.example")
    assert refused.value.fields["path"] == "$.password"


async def test_the_password_is_stored_as_argon2id_only(office: Office) -> None:
    await office.member()
    [row] = await office.rows(members)
    assert row["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in str(row)
