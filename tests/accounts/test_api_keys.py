"""API keys: shown once, stored as a digest, bounded by kind and scope, and dead everywhere soon after they are revoked."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Literal

import pytest
from tests.accounts.office import Office

from warmline.accounts import api_keys as module
from warmline.accounts.access import SYSTEM, Principal, Scope
from warmline.accounts.api_keys import MAX_OVERLAP_S, ApiKeys
from warmline.accounts.model import KeyKind, NewKey, Role
from warmline.accounts.tables import api_keys, audit
from warmline.kernel.clock import DAY, HOUR, SECOND
from warmline.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from warmline.platform.bus import MemoryBus

READ = ["conversations:read"]


async def make(office: Office, kind: KeyKind = "v1", expires_at: int | None = None) -> NewKey:
    if kind == "wire":
        return await office.keys.create(SYSTEM, kind="wire", label="CRM", connection_id="c1", expires_at=expires_at)
    return await office.keys.create(SYSTEM, kind="v1", label="Reports", scopes=READ, expires_at=expires_at)


def opens(keys: ApiKeys, token: str, kind: KeyKind = "v1") -> bool:
    try:
        keys.authenticate(token, kind)
    except Unauthorized:
        return False
    return True


@pytest.mark.parametrize("kind", ["v1", "wire"])
async def test_a_key_is_shown_once_and_stored_as_a_digest(office: Office, kind: KeyKind) -> None:
    made = await make(office, kind)
    [row] = await office.rows(api_keys)
    assert row["token_hash"] == hashlib.sha256(made.token.encode()).hexdigest()
    secret = made.token.removeprefix(made.record.prefix + "_")
    assert len(secret) >= 43  # 256 random bits
    stored = str(await office.rows(api_keys)) + str(await office.rows(audit))
    assert secret not in stored
    assert secret not in str(await office.keys.list_keys(SYSTEM, kind=kind))
    assert secret not in str(await office.keys.get(SYSTEM, made.record.id))
    assert not opens(office.keys, row["token_hash"], kind)
    assert office.keys.authenticate(made.token, kind) == made.record


async def test_a_key_opens_its_own_kind_of_door_only(office: Office) -> None:
    v1, wire = await make(office), await make(office, "wire")
    assert opens(office.keys, v1.token, "v1")
    assert opens(office.keys, wire.token, "wire")
    assert not opens(office.keys, v1.token, "wire")
    assert not opens(office.keys, wire.token, "v1")
    assert (wire.record.connection_id, wire.record.scopes) == ("c1", frozenset())
    assert (v1.record.connection_id, v1.record.scopes) == (None, frozenset(READ))


@pytest.mark.parametrize("token", ["", " ", "wlk_", "\x00", "\ud800", "x" * 100_000, "Bearer x"])
async def test_what_is_no_key_is_refused(small_office: Office, token: str) -> None:
    made = await make(small_office)
    with pytest.raises(Unauthorized) as refused:
        small_office.keys.authenticate(token, "v1")
    assert (refused.value.code, refused.value.fields) == ("key_refused", {})
    assert not opens(small_office.keys, made.token + token if token else made.token[:-1])
    assert not opens(small_office.keys, made.token.upper())


async def test_what_a_key_needs(office: Office) -> None:
    keys = office.keys
    bad: list[tuple[str, Literal["v1", "wire"], dict]] = [
        ("$.scopes", "v1", {"label": "a", "scopes": []}),
        ("$.scopes", "v1", {"label": "a", "scopes": ["root"]}),
        ("$.scopes", "v1", {"label": "a", "scopes": ["members:write"]}),
        ("$.label", "v1", {"label": " ", "scopes": READ}),
        ("$.label", "v1", {"label": "a" * 81, "scopes": READ}),
        ("$.connection_id", "wire", {"label": "a"}),
        ("$.expires_at", "v1", {"label": "a", "scopes": READ, "expires_at": office.clock.now()}),
    ]
    for path, kind, fields in bad:
        with pytest.raises(Invalid) as refused:
            await keys.create(SYSTEM, kind=kind, **fields)
        assert refused.value.fields["path"] == path
    assert await office.rows(api_keys) == []


async def test_a_key_expires_by_itself(office: Office) -> None:
    made = await make(office, expires_at=office.clock.now() + HOUR)
    assert made.record.state(office.clock.now()) == "expiring"
    office.clock.advance(HOUR - 1)
    assert opens(office.keys, made.token)
    office.clock.advance(1)
    assert not opens(office.keys, made.token)
    assert (await office.keys.get(SYSTEM, made.record.id)).state(office.clock.now()) == "expired"
    await office.keys.refresh()
    assert not opens(office.keys, made.token)


@pytest.mark.parametrize("kind", ["v1", "wire"])
async def test_rotation_leaves_time_to_change_over(office: Office, kind: KeyKind) -> None:
    old = await make(office, kind)
    new = await office.keys.rotate(SYSTEM, old.record.id, 3600)
    assert new.token != old.token
    assert (new.record.scopes, new.record.connection_id, new.record.kind) == (
        old.record.scopes,
        old.record.connection_id,
        kind,
    )
    assert opens(office.keys, old.token, kind)
    assert opens(office.keys, new.token, kind)
    office.clock.advance(3600 * SECOND)
    assert not opens(office.keys, old.token, kind)
    assert opens(office.keys, new.token, kind)
    [entry] = await office.log("key.rotated")
    assert (entry.object_id, entry.detail["successor"]) == (old.record.id, new.record.id)


async def test_rotation_without_overlap_ends_the_old_key_now(office: Office) -> None:
    old = await make(office)
    new = await office.keys.rotate(SYSTEM, old.record.id, 0)
    assert not opens(office.keys, old.token)
    assert opens(office.keys, new.token)
    with pytest.raises(Conflict) as refused:
        await office.keys.rotate(SYSTEM, old.record.id, 0)
    assert refused.value.code == "key_not_live"


async def test_rotation_never_prolongs_the_old_key(office: Office) -> None:
    ends = office.clock.now() + HOUR
    old = await make(office, expires_at=ends)
    await office.keys.rotate(SYSTEM, old.record.id, 7 * 86_400)
    assert (await office.keys.get(SYSTEM, old.record.id)).expires_at == ends


async def test_a_successor_lives_as_long_as_the_old_key_was_made_for(office: Office) -> None:
    lifetime = 30 * DAY
    key = (await make(office, expires_at=office.clock.now() + lifetime)).record
    for overlap in (3600, 7 * 86_400, 60):
        office.clock.advance(10 * DAY)
        key = (await office.keys.rotate(SYSTEM, key.id, overlap)).record
        assert key.expires_at == office.clock.now() + lifetime
        assert await office.keys.get(SYSTEM, key.id) == key


async def test_the_successors_of_a_key_without_an_end_have_none(office: Office) -> None:
    first = (await make(office)).record
    second = (await office.keys.rotate(SYSTEM, first.id, 3600)).record
    # The first one ends now, but only because it was replaced.
    again = (await office.keys.rotate(SYSTEM, first.id, 3600)).record
    third = (await office.keys.rotate(SYSTEM, second.id, 0)).record
    assert [key.expires_at for key in (second, again, third)] == [None, None, None]


async def test_a_lifetime_to_the_end_of_time_does_not_grow_beyond_it(small_office: Office) -> None:
    last = 253_402_300_799_000
    key = (await make(small_office, expires_at=last)).record
    small_office.clock.advance(DAY)
    assert (await small_office.keys.rotate(SYSTEM, key.id, 0)).record.expires_at == last


@pytest.mark.parametrize("overlap", [-1, MAX_OVERLAP_S + 1])
async def test_an_overlap_has_bounds(small_office: Office, overlap: int) -> None:
    old = await make(small_office)
    with pytest.raises(Invalid):
        await small_office.keys.rotate(SYSTEM, old.record.id, overlap)
    assert opens(small_office.keys, old.token)
    assert len(await small_office.rows(api_keys)) == 1


async def test_rotating_hands_out_nothing_that_the_asker_lacks(office: Office) -> None:
    strong = await office.keys.create(SYSTEM, kind="v1", label="strong", scopes=["conversations:erase"])
    weak = Principal("key:weak", frozenset({Scope.KEYS_WRITE, Scope.KEYS_READ}))
    with pytest.raises(Forbidden):
        await office.keys.rotate(weak, strong.record.id, 60)
    wire = await make(office, "wire")
    for act in (office.keys.rotate(weak, wire.record.id, 60), office.keys.revoke(weak, wire.record.id)):
        with pytest.raises(Forbidden):
            await act
    with pytest.raises(Forbidden):
        await office.keys.get(weak, wire.record.id)
    assert [key.kind for key in await office.keys.list_keys(weak)] == ["v1"]
    await office.keys.revoke(weak, strong.record.id)  # taking away is allowed
    assert not opens(office.keys, strong.token)


async def test_a_revoked_key_is_dead_here_at_once(office: Office) -> None:
    made, other = await make(office), await make(office)
    await office.keys.revoke(SYSTEM, made.record.id)
    assert not opens(office.keys, made.token)
    assert opens(office.keys, other.token)
    first = (await office.keys.get(SYSTEM, made.record.id)).revoked_at
    office.clock.advance(DAY)
    await office.keys.revoke(SYSTEM, made.record.id)
    assert (await office.keys.get(SYSTEM, made.record.id)).revoked_at == first
    assert len(await office.log("key.revoked")) == 1
    with pytest.raises(NotFound):
        await office.keys.revoke(SYSTEM, "nothing")


class Watched(ApiKeys):
    """Tells when it has loaded the keys."""

    def __init__(self, office: Office, bus: MemoryBus | None = None) -> None:
        super().__init__(office.journal, office.clock, bus or office.bus)
        self.loaded = asyncio.Event()

    async def refresh(self) -> None:
        await super().refresh()
        self.loaded.set()

    async def until(self, token: str, *, open_: bool) -> None:
        async with asyncio.timeout(10):
            while opens(self, token) != open_:
                self.loaded.clear()
                await self.loaded.wait()


async def test_the_bus_carries_news_of_keys_to_other_nodes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 3_600.0)  # so that only the message can do it
    other = Watched(office)
    await other.start()
    try:
        made = await make(office)
        await other.until(made.token, open_=True)
        await office.keys.revoke(SYSTEM, made.record.id)
        await other.until(made.token, open_=False)
    finally:
        await other.stop()


async def test_a_lost_message_costs_one_refresh(office: Office) -> None:
    made = await make(office)
    other = Watched(office, MemoryBus())  # another bus: it hears nothing
    await other.refresh()
    await office.keys.revoke(SYSTEM, made.record.id)
    assert opens(other, made.token)
    await other.refresh()
    assert not opens(other, made.token)


async def test_the_refresh_comes_by_itself_and_survives_a_store_that_is_away(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.REFRESH_S <= 2  # "within five seconds"
    monkeypatch.setattr(module, "REFRESH_S", 0.01)

    class Failing(Watched):
        failures = 0

        async def refresh(self) -> None:
            if self.failures:
                self.failures -= 1
                raise ConnectionError
            await super().refresh()

    made = await make(office)
    other = Failing(office, MemoryBus())
    await other.start()
    try:
        other.failures = 3
        assert opens(other, made.token)
        await office.keys.revoke(SYSTEM, made.record.id)
        await other.until(made.token, open_=False)
        assert other.failures == 0
    finally:
        await other.stop()


async def test_keys_are_loaded_at_the_start(office: Office) -> None:
    made = await make(office)
    other = ApiKeys(office.journal, office.clock, office.bus)
    assert not opens(other, made.token)
    await other.start()
    assert opens(other, made.token)
    await other.stop()


async def test_use_is_noted_and_never_goes_back(office: Office) -> None:
    made = await make(office)

    async def noted() -> int | None:
        return (await office.keys.get(SYSTEM, made.record.id)).last_used_at

    assert await noted() is None
    assert not opens(office.keys, made.token, "wire")
    await office.keys.note_uses()
    assert await noted() is None
    office.clock.advance(HOUR)
    opens(office.keys, made.token)
    await office.keys.note_uses()
    assert await noted() == office.clock.now()
    late = office.clock.now()
    office.clock.advance(-HOUR)
    opens(office.keys, made.token)
    await office.keys.note_uses()
    assert await noted() == late


async def test_lists_are_newest_first_and_of_one_connection(office: Office) -> None:
    wires = [
        await office.keys.create(SYSTEM, kind="wire", label="k", connection_id=connection)
        for connection in ("c1", "c2", "c1")
    ]
    made = [new.record for new in (*wires, await make(office))]
    found = await office.keys.list_keys(SYSTEM, kind="wire", connection_id="c1")
    assert [key.id for key in found] == [made[2].id, made[0].id]
    assert [key.id for key in await office.keys.list_keys(SYSTEM)] == [key.id for key in reversed(made)]
    lead = await office.principal(Role.LEAD)
    assert len(await office.keys.list_keys(lead, kind="wire")) == 3
    with pytest.raises(Forbidden):
        await office.keys.list_keys(lead, kind="v1")
