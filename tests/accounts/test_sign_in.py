"""Signing in: one answer to every failure, the same work for every address, and not too often."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import extract_parameters
from tests.accounts.office import HERE, PASSWORD, CountedPasswords, Office

from warmline.accounts.access import SYSTEM
from warmline.accounts.passwords import Passwords
from warmline.accounts.service import Accounts
from warmline.accounts.tables import members, sessions
from warmline.accounts.throttle import PER_ADDRESS, PER_EMAIL, PER_PAIR, SignInThrottle
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import RateLimited, Unauthorized, Unavailable, WarmlineError


async def refusal(office: Office, email: str, password: str) -> WarmlineError:
    with pytest.raises(Unauthorized) as refused:
        await office.sign_in(email, password)
    return refused.value


async def test_the_right_password_opens_a_session(office: Office) -> None:
    await office.member("Mina@desk.example")
    signed_in, token = await office.sign_in(" MINA@desk.example ")
    assert signed_in.member.name == "Mina"
    assert await office.accounts.find_session(token) == signed_in
    assert [entry.actor for entry in await office.log("session.started")] == [signed_in.member.actor]


async def test_every_failure_looks_alike_and_costs_one_hash(office: Office) -> None:
    mina = await office.member()
    gone = await office.member("gone@desk.example")
    await office.accounts.set_enabled(SYSTEM, gone.id, enabled=False)
    seen = []
    for email, password in (
        ("mina@desk.example", "not the password"),
        ("nobody@desk.example", PASSWORD),
        ("gone@desk.example", PASSWORD),
        ("mina@desk.example", ""),
        ("mina@desk.example", "x" * 5_000),
        ("", ""),
    ):
        office.passwords.checked.clear()
        error = await refusal(office, email, password)
        [checked] = office.passwords.checked
        seen.append((error.code, error.detail, error.fields, extract_parameters(checked)))
    assert all(one == seen[0] for one in seen)
    assert await office.rows(sessions) == []
    assert {entry.object_id for entry in await office.log("session.refused")} == {mina.id, gone.id}


async def test_the_decoy_opens_nothing(small_office: Office) -> None:
    await refusal(small_office, "nobody@desk.example", "nobody has this password")


async def test_a_hash_of_weaker_parameters_is_replaced_at_sign_in(office: Office) -> None:
    await office.member()
    [before] = await office.rows(members)
    stronger = Accounts(office.journal, office.clock, passwords=CountedPasswords(time_cost=2))
    await stronger.sign_in("mina@desk.example", PASSWORD, address=HERE, user_agent="")
    [after] = await office.rows(members)
    assert extract_parameters(before["password_hash"]).time_cost == 1
    assert extract_parameters(after["password_hash"]).time_cost == 2
    await stronger.sign_in("mina@desk.example", PASSWORD, address=HERE, user_agent="")
    assert (await office.rows(members)) == [after]
    stronger.close()


class Interrupting(CountedPasswords):
    """Lets something happen after a password was checked, before the session is opened."""

    async def verify(self, stored: str | None, password: str) -> bool:
        fits = await super().verify(stored, password)
        await self.meanwhile()
        return fits

    async def meanwhile(self) -> None:
        """Set by the test."""


@pytest.mark.parametrize("event", ["password", "disabled"])
async def test_what_changes_while_the_password_is_checked_counts(office: Office, event: str) -> None:
    mina = await office.member()
    signed_in, _token = await office.sign_in()
    passwords = Interrupting(time_cost=2)  # which also wants to store a new hash of the old password
    slow = Accounts(office.journal, office.clock, passwords=passwords)

    async def change() -> None:
        if event == "password":
            await office.accounts.change_password(signed_in, PASSWORD, "quite another password")
        else:
            await office.accounts.set_enabled(SYSTEM, mina.id, enabled=False)

    passwords.meanwhile = change  # type: ignore[method-assign]
    with pytest.raises(Unauthorized) as refused:
        await slow.sign_in("mina@desk.example", PASSWORD, address=HERE, user_agent="")
    assert refused.value.code == "sign_in_refused"
    assert len(await office.rows(sessions)) == (1 if event == "password" else 0)
    await refusal(office, "mina@desk.example", PASSWORD)
    if event == "password":
        await office.sign_in(password="quite another password")
    slow.close()


async def test_five_wrong_tries_of_a_pair_close_the_door_for_a_while(office: Office) -> None:
    await office.member()
    for _ in range(PER_PAIR.tries):
        await refusal(office, "mina@desk.example", "wrong password")
    office.passwords.checked.clear()
    with pytest.raises(RateLimited) as refused:
        await office.sign_in()
    assert refused.value.retry_after == PER_PAIR.window / 1000
    assert office.passwords.checked == []  # and cost nothing
    await office.sign_in(address="198.51.100.9")  # the owner elsewhere is not locked out
    office.clock.advance(PER_PAIR.window - 1)
    with pytest.raises(RateLimited):
        await office.sign_in()
    office.clock.advance(1)
    await office.sign_in()


async def test_many_tries_at_once_are_counted_before_they_are_answered(small_office: Office) -> None:
    await small_office.member()
    results = await asyncio.gather(
        *(small_office.sign_in(password="wrong password") for _ in range(20)), return_exceptions=True
    )
    kinds = [type(result) for result in results]
    assert kinds.count(Unauthorized) == PER_PAIR.tries
    assert kinds.count(RateLimited) == 20 - PER_PAIR.tries


async def test_success_is_forgiven(small_office: Office) -> None:
    await small_office.member()
    for _ in range(4 * PER_ADDRESS.tries):
        await small_office.sign_in()
    for _ in range(PER_PAIR.tries - 1):
        await refusal(small_office, "mina@desk.example", "wrong password")
    await small_office.sign_in()
    for _ in range(PER_PAIR.tries):
        await refusal(small_office, "mina@desk.example", "wrong password")


def test_one_address_may_not_try_many_mail_addresses(clock: ManualClock) -> None:
    throttle = SignInThrottle(clock)
    for number in range(PER_ADDRESS.tries):
        throttle.attempt(f"m{number}@desk.example", HERE)
    with pytest.raises(RateLimited):
        throttle.attempt("another@desk.example", HERE)
    throttle.attempt("another@desk.example", "203.0.113.8")
    clock.advance(PER_ADDRESS.window)
    throttle.attempt("another@desk.example", HERE)


def test_many_addresses_may_not_try_one_mail_address(clock: ManualClock) -> None:
    throttle = SignInThrottle(clock)
    for number in range(PER_EMAIL.tries):
        throttle.attempt("mina@desk.example", f"198.51.100.{number}")
    with pytest.raises(RateLimited):
        throttle.attempt("mina@desk.example", "203.0.113.1")
    throttle.attempt("jon@desk.example", "203.0.113.1")


def test_success_with_an_own_account_does_not_help_to_guess_others(clock: ManualClock) -> None:
    throttle = SignInThrottle(clock)
    for _ in range(PER_PAIR.tries):
        throttle.attempt("victim@desk.example", HERE)
        throttle.attempt("own@desk.example", HERE)
        throttle.forgive("own@desk.example", HERE)
    with pytest.raises(RateLimited):
        throttle.attempt("victim@desk.example", HERE)


def test_a_refused_attempt_does_not_prolong_the_wait(clock: ManualClock) -> None:
    throttle = SignInThrottle(clock)
    for _ in range(PER_PAIR.tries):
        throttle.attempt("mina@desk.example", HERE)
    clock.advance(PER_PAIR.window - 1_000)
    for _ in range(50):
        with pytest.raises(RateLimited):
            throttle.attempt("mina@desk.example", HERE)
    clock.advance(1_000)
    throttle.attempt("mina@desk.example", HERE)


def test_an_ipv6_household_counts_as_one(clock: ManualClock) -> None:
    throttle = SignInThrottle(clock)
    for number in range(PER_PAIR.tries):
        throttle.attempt("mina@desk.example", f"2001:db8:1:2::{number:x}")
    with pytest.raises(RateLimited):
        throttle.attempt("mina@desk.example", "2001:db8:1:2:ffff::1")
    throttle.attempt("mina@desk.example", "2001:db8:1:3::1")
    for _ in range(PER_PAIR.tries):
        throttle.attempt("jon@desk.example", "::ffff:203.0.113.7")
    with pytest.raises(RateLimited):
        throttle.attempt("jon@desk.example", HERE)


async def test_a_crowd_is_turned_away_instead_of_queued_without_end() -> None:
    passwords = Passwords(time_cost=1, memory_kib=8)
    results = await asyncio.gather(*(passwords.verify(None, "x") for _ in range(200)), return_exceptions=True)
    assert {type(result) for result in results} == {bool, Unavailable}
    assert await passwords.verify(await passwords.hash(PASSWORD), PASSWORD)
    assert not await passwords.verify("not a hash", PASSWORD)
    passwords.close()
