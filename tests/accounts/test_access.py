"""Who may do what: every role, key and nobody against every gate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.accounts.office import PASSWORD, Office

from warmline.accounts.access import (
    GATES,
    KEY_SCOPES,
    ROLE_SCOPES,
    SYSTEM,
    Gate,
    Principal,
    Scope,
    key_principal,
    member_principal,
    parse_scopes,
)
from warmline.accounts.model import ApiKey, Member, Role
from warmline.kernel.errors import Forbidden, Invalid

# Written down once more on purpose: a slip in the product's table must differ from this one.
ALLOWED = {
    "agent": {"conversations": "rw", "desk": "rw"},
    "lead": {"conversations": "rw", "desk": "rw", "connections": "r", "widgets": "r", "members": "r"},
    "admin": dict.fromkeys(("conversations", "desk", "connections", "widgets", "keys", "members", "audit"), "rw"),
    "disabled admin": {},
    "wire key": {},
    "nobody": {},
    "system": dict.fromkeys(("conversations", "desk", "connections", "widgets", "keys", "members", "audit"), "rw"),
}


def member(role: Role, disabled_at: int | None = None) -> Member:
    return Member(id="m", email="m@x", name="M", role=role, hue=0, created_at=0, disabled_at=disabled_at)


def key(kind: str, scopes: frozenset[str]) -> ApiKey:
    return ApiKey(
        id="k",
        prefix="p",
        label="l",
        kind="wire" if kind == "wire" else "v1",
        scopes=scopes,
        connection_id=None,
        created_at=0,
        created_by="",
    )


WHO: dict[str, Principal] = {
    **{str(role): member_principal(member(role)) for role in Role},
    "disabled admin": member_principal(member(Role.ADMIN, disabled_at=1)),
    "wire key": key_principal(key("wire", frozenset(Scope))),
    "nobody": Principal("anonymous", frozenset()),
    "system": SYSTEM,
}


def test_the_matrix_knows_every_role_and_gate() -> None:
    assert set(WHO) == set(ALLOWED)
    assert {str(role) for role in Role} <= set(ALLOWED)
    assert set(ALLOWED["admin"]) == {gate.noun for gate in GATES}
    assert set(ROLE_SCOPES) == set(Role)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.noun)
@pytest.mark.parametrize("name", WHO)
def test_a_gate_opens_for_whom_it_is_meant(name: str, gate: Gate) -> None:
    who, allowed = WHO[name], ALLOWED[name].get(gate.noun, "")
    for letter, may, check, scope in (
        ("r", gate.may_read, gate.check_read, gate.read),
        ("w", gate.may_write, gate.check_write, gate.write),
    ):
        assert may(who) == (letter in allowed)
        if letter in allowed:
            check(who)
        else:
            with pytest.raises(Forbidden) as refused:
                check(who)
            assert refused.value.fields["scope"] == scope


def test_each_role_may_what_the_one_before_it_may() -> None:
    assert ROLE_SCOPES[Role.AGENT] < ROLE_SCOPES[Role.LEAD] < ROLE_SCOPES[Role.ADMIN] == frozenset(Scope)
    assert Scope.CONVERSATIONS_ERASE not in ROLE_SCOPES[Role.LEAD]


@pytest.mark.parametrize("scope", Scope)
def test_a_key_opens_what_its_scopes_name_and_nothing_else(scope: Scope) -> None:
    who = key_principal(key("v1", frozenset({str(scope)})))
    given = {scope} & set(KEY_SCOPES)
    for gate in GATES:
        assert gate.may_read(who) == (gate.read in given)
        assert gate.may_write(who) == (gate.write in given)


def test_no_key_makes_members_even_if_its_row_says_so() -> None:
    assert Scope.MEMBERS_WRITE not in KEY_SCOPES
    assert key_principal(key("v1", frozenset(Scope))).scopes == frozenset(Scope) - {Scope.MEMBERS_WRITE}
    with pytest.raises(Invalid):
        parse_scopes(["members:write"], granted_by=SYSTEM)


def test_nobody_gives_what_they_do_not_have() -> None:
    lender = Principal("key:k", frozenset({Scope.KEYS_WRITE, Scope.CONVERSATIONS_READ}))
    assert parse_scopes(["conversations:read"], granted_by=lender) == {"conversations:read"}
    with pytest.raises(Forbidden) as refused:
        parse_scopes(["conversations:read", "conversations:erase"], granted_by=lender)
    assert refused.value.fields["scope"] == "conversations:erase"
    for bad in ([], ["*"], ["conversations"], ["conversations:read "], [""]):
        with pytest.raises(Invalid) as invalid:
            parse_scopes(bad, granted_by=SYSTEM)
        assert invalid.value.fields["path"] == "$.scopes"


Act = Callable[[Office, Principal, str, str], Awaitable[object]]
ACTS: dict[str, tuple[Scope, Act]] = {
    "add a member": (
        Scope.MEMBERS_WRITE,
        lambda o, who, _m, _k: o.accounts.create_member(who, "new@x.y", "New", Role.AGENT, PASSWORD),
    ),
    "list members": (Scope.MEMBERS_READ, lambda o, who, _m, _k: o.accounts.list_members(who)),
    "change a role": (Scope.MEMBERS_WRITE, lambda o, who, m, _k: o.accounts.change_role(who, m, Role.LEAD)),
    "disable": (Scope.MEMBERS_WRITE, lambda o, who, m, _k: o.accounts.set_enabled(who, m, enabled=False)),
    "make a key": (
        Scope.KEYS_WRITE,
        lambda o, who, _m, _k: o.keys.create(who, kind="v1", label="k", scopes=["conversations:read"]),
    ),
    "make a wire key": (
        Scope.CONNECTIONS_WRITE,
        lambda o, who, _m, _k: o.keys.create(who, kind="wire", label="k", connection_id="c"),
    ),
    "list keys": (Scope.KEYS_READ, lambda o, who, _m, _k: o.keys.list_keys(who, kind="v1")),
    "list wire keys": (Scope.CONNECTIONS_READ, lambda o, who, _m, _k: o.keys.list_keys(who, kind="wire")),
    "read a key": (Scope.KEYS_READ, lambda o, who, _m, k: o.keys.get(who, k)),
    "rotate a key": (Scope.KEYS_WRITE, lambda o, who, _m, k: o.keys.rotate(who, k, 60)),
    "revoke a key": (Scope.KEYS_WRITE, lambda o, who, _m, k: o.keys.revoke(who, k)),
}


@pytest.mark.parametrize("name", [name for name in WHO if name != "system"])
async def test_a_service_asks_the_gate_and_a_refusal_leaves_no_trace(small_office: Office, name: str) -> None:
    for number, (scope, run) in enumerate(ACTS.values()):
        mina = await small_office.member(f"m{number}@desk.example")
        made = await small_office.keys.create(SYSTEM, kind="v1", label="k", scopes=["conversations:read"])
        before = await small_office.log()
        if scope in WHO[name].scopes:
            await run(small_office, WHO[name], mina.id, made.record.id)
            continue
        with pytest.raises(Forbidden):
            await run(small_office, WHO[name], mina.id, made.record.id)
        assert await small_office.log() == before
        assert small_office.keys.authenticate(made.token, "v1") == made.record
