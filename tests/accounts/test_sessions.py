"""Sessions: known by a digest only, ended by disuse, by their owner, and by a new password."""

from __future__ import annotations

import hashlib

import pytest
from tests.accounts.office import HERE, PASSWORD, Office, opened
from tests.support.pair import StorePair

from warmline.accounts.service import SESSION_CACHE_MS, Accounts
from warmline.accounts.tables import audit, members, sessions
from warmline.accounts.throttle import PER_PAIR
from warmline.kernel.clock import DAY, HOUR, MINUTE, ManualClock
from warmline.kernel.errors import Invalid, RateLimited, Unauthorized


async def test_the_token_is_stored_as_a_digest_only(office: Office) -> None:
    await office.member()
    _signed_in, token = await office.sign_in()
    [row] = await office.rows(sessions)
    assert row["token_hash"] == hashlib.sha256(token.encode()).hexdigest()
    everything = str([await office.rows(table) for table in (sessions, members, audit)])
    assert token not in everything
    assert len(token) >= 43  # 256 random bits
    assert await office.accounts.find_session(row["token_hash"]) is None


async def test_every_session_has_its_own_token_and_form_token(office: Office) -> None:
    await office.member()
    (one, first), (two, second) = await office.sign_in(), await office.sign_in()
    assert first != second
    assert one.session.csrf != two.session.csrf
    assert (found := await office.accounts.find_session(first))
    assert found.session.csrf == one.session.csrf


async def test_a_session_ends_after_hours_without_use(office: Office) -> None:
    await office.member()
    _signed_in, token = await office.sign_in()
    office.clock.advance(12 * HOUR - 1)
    assert await office.accounts.find_session(token, in_use=False)
    office.clock.advance(1)
    assert await office.accounts.find_session(token) is None
    assert await office.accounts.forget_expired_sessions() == 1
    assert await office.rows(sessions) == []


async def test_use_puts_the_end_off_but_not_for_ever(office: Office) -> None:
    await office.member()
    signed_in, token = await office.sign_in()
    began = office.clock.now()
    while await office.accounts.find_session(token):
        office.clock.advance(11 * HOUR)
    assert office.clock.now() - began > 29 * DAY
    [row] = await office.rows(sessions)
    assert row["expires_at"] == began + 30 * DAY == began + office.accounts.longest_session_s * 1_000
    assert signed_in.session.expires_at == began + 12 * HOUR


async def test_an_open_page_is_not_use(office: Office) -> None:
    await office.member()
    _signed_in, token = await office.sign_in()
    for _ in range(13):
        office.clock.advance(HOUR)
        found = await office.accounts.find_session(token, in_use=False)
    assert found is None


async def test_use_is_noted_once_a_minute(office: Office) -> None:
    await office.member()
    _signed_in, token = await office.sign_in()
    began = office.clock.now()
    noted = []
    for step in (MINUTE - 1, SESSION_CACHE_MS, MINUTE - 1, SESSION_CACHE_MS):
        office.clock.advance(step)
        await office.accounts.find_session(token)
        noted.append((await office.rows(sessions))[0]["last_seen_at"] - began)
    second = MINUTE - 1 + SESSION_CACHE_MS
    assert noted == [0, second, second, second + MINUTE - 1 + SESSION_CACHE_MS]


async def test_a_session_may_be_meant_to_last_for_months(pair: StorePair, clock: ManualClock) -> None:
    async with opened(pair, clock, session_hours=2_000) as office:
        await office.member()
        _signed_in, token = await office.sign_in()
        clock.advance(2_000 * HOUR - 1)
        assert await office.accounts.find_session(token)


async def test_signing_out_ends_this_session_at_once_and_only_this(office: Office) -> None:
    await office.member()
    (one, first), (_two, second) = await office.sign_in(), await office.sign_in()
    assert await office.accounts.find_session(first)
    await office.accounts.sign_out(one)
    assert await office.accounts.find_session(first) is None
    assert await office.accounts.find_session(second)
    assert len(await office.log("session.ended")) == 1


async def test_signing_out_everywhere_keeps_the_browser_that_asked(office: Office) -> None:
    await office.member()
    await office.member("jon@desk.example")
    tokens = [(await office.sign_in())[1] for _ in range(3)]
    signed_in, here = await office.sign_in()
    _jon, jons = await office.sign_in("jon@desk.example")
    assert all([await office.accounts.find_session(token) for token in tokens])
    assert await office.accounts.sign_out_everywhere(signed_in) == 3
    assert not any([await office.accounts.find_session(token) for token in tokens])
    assert await office.accounts.find_session(here)
    assert await office.accounts.find_session(jons)
    assert await office.accounts.sign_out_everywhere(signed_in, keep_this=False) == 1
    assert await office.accounts.find_session(here) is None
    assert await office.accounts.find_session(jons)


async def test_a_sign_out_reaches_the_other_node_within_two_seconds(office: Office) -> None:
    await office.member()
    signed_in, token = await office.sign_in()
    other = Accounts(office.journal, office.clock, passwords=office.passwords)
    assert await other.find_session(token)
    await office.accounts.sign_out(signed_in)
    office.clock.advance(SESSION_CACHE_MS)
    assert await other.find_session(token) is None


async def test_a_new_password_ends_the_other_sessions(office: Office) -> None:
    await office.member()
    (_other, elsewhere), (signed_in, here) = await office.sign_in(), await office.sign_in()
    assert await office.accounts.find_session(elsewhere)
    await office.accounts.change_password(signed_in, PASSWORD, "quite another password")
    assert await office.accounts.find_session(elsewhere) is None
    assert await office.accounts.find_session(here)
    with pytest.raises(Unauthorized):
        await office.sign_in()
    await office.sign_in(password="quite another password")


async def test_a_password_is_changed_by_who_knows_the_old_one(office: Office) -> None:
    await office.member()
    (_other, elsewhere), (signed_in, _here) = await office.sign_in(), await office.sign_in()
    [before] = await office.rows(members)
    with pytest.raises(Invalid) as wrong:
        await office.accounts.change_password(signed_in, "not the old one", "quite another password")
    assert wrong.value.fields["path"] == "$.current"
    with pytest.raises(Invalid) as weak:
        await office.accounts.change_password(signed_in, PASSWORD, "short")
    assert weak.value.fields["path"] == "$.password"
    assert await office.rows(members) == [before]
    assert await office.accounts.find_session(elsewhere)
    for _ in range(PER_PAIR.tries):
        with pytest.raises(Invalid):
            await office.accounts.change_password(signed_in, "not the old one", "quite another password")
    with pytest.raises(RateLimited):
        await office.accounts.change_password(signed_in, PASSWORD, "quite another password")


async def test_a_member_sees_the_own_browsers(office: Office) -> None:
    mina = await office.member()
    await office.sign_in()
    office.clock.advance(1_000)
    await office.accounts.sign_in("mina@desk.example", PASSWORD, address=HERE, user_agent="x" * 1_000)
    found = await office.accounts.list_sessions(mina.id)
    assert [session.user_agent for session in found] == ["x" * 200, "Firefox"]
    office.clock.advance(12 * HOUR)
    assert await office.accounts.list_sessions(mina.id) == []


async def test_a_new_name_shows_from_the_next_request_on(office: Office) -> None:
    await office.member()
    signed_in, token = await office.sign_in()
    await office.accounts.find_session(token)
    await office.accounts.change_name(signed_in, "  Mina   Okafor ")
    assert (found := await office.accounts.find_session(token))
    assert found.member.name == "Mina Okafor"
    with pytest.raises(Invalid):
        await office.accounts.change_name(signed_in, "\n")


@pytest.mark.parametrize("token", ["", "nothing", "\ud800", "\x00", "x" * 100_000])
async def test_a_strange_token_is_nobody(office: Office, token: str) -> None:
    assert await office.accounts.find_session(token) is None
