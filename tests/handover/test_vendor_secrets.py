"""A vendor's webhook secret that is entered anew: the old one counts for a day, other credentials do not."""

from __future__ import annotations

import pytest
from tests.support.node import Stage, guest

from warmline.accounts.access import SYSTEM
from warmline.handover.connection_secrets import entered
from warmline.handover.desk_kinds import Secret
from warmline.kernel.errors import Invalid

DAY_MS = 86_400_000


def test_the_old_secret_overlaps_once() -> None:
    first = entered({}, {"hook": "a", "key": "k"}, {"hook"}, until=10, now=0)
    assert first == {"hook": (Secret("a"),), "key": (Secret("k"),)}
    second = entered(first, {"hook": "b", "key": "l"}, {"hook"}, until=10, now=0)
    assert second == {"hook": (Secret("b"), Secret("a", 10)), "key": (Secret("l"),)}
    again = entered(second, {"hook": "b"}, {"hook"}, until=20, now=0)
    assert again == second, "the same value entered again is no rotation"
    third = entered(second, {"hook": "c"}, {"hook"}, until=30, now=20)
    assert third["hook"] == (Secret("c"), Secret("b", 30))


async def test_a_desk_is_given_both_for_a_day(shared_house: Stage) -> None:
    async with guest(shared_house) as stage:
        connections = stage.node.connections
        settings = {"api_token": "t" * 20, "webhook_secret": "aa" * 32}
        made = await connections.create(SYSTEM, kind="dixa", name="D", settings=settings, bot_ids=[stage.bot_id])
        await connections.update(
            SYSTEM, made.connection.id, settings={"webhook_secret": "bb" * 32, "api_token": "u" * 20}
        )
        held = connections._linked(connections._row(made.connection.id)).secrets
        now = stage.node.clock.now()
        assert [one.value[:2] for one in held["webhook_secret"]] == ["bb", "aa"]
        until = held["webhook_secret"][1].until
        assert until is not None
        assert DAY_MS - 60_000 < until - now <= DAY_MS
        assert [one.value[0] for one in held["api_token"]] == ["u"]


@pytest.mark.parametrize(
    ("kind", "field", "wrong", "others"),
    [
        ("open", "sender_secret", "whsec_c2hvcnQ=", {"url": "https://desk.example/events"}),
        ("open", "sender_secret", "whsec_with blanks", {"url": "https://desk.example/events"}),
        ("dixa", "webhook_secret", "not-hexadecimal", {"api_token": "t" * 20}),
        ("dixa", "webhook_secret", "abc", {"api_token": "t" * 20}),
        ("freshchat", "public_key", "no key at all", {"api_token": "t", "api_url": "https://shop.example/v2"}),
    ],
)
async def test_what_cannot_be_a_secret_is_refused_when_it_is_entered(
    shared_house: Stage, kind: str, field: str, wrong: str, others: dict[str, str]
) -> None:
    async with guest(shared_house) as stage:
        connections = stage.node.connections
        with pytest.raises(Invalid) as caught:
            await connections.create(
                SYSTEM, kind=kind, name="D", settings={**others, field: wrong}, bot_ids=[stage.bot_id]
            )
        assert (caught.value.fields["path"], wrong in caught.value.detail) == (f"$.settings.{field}", False)
        made = await connections.create(SYSTEM, kind=kind, name="D", settings=others, bot_ids=[stage.bot_id])
        with pytest.raises(Invalid):
            await connections.update(SYSTEM, made.connection.id, settings={field: wrong})
        held = connections._linked(connections._row(made.connection.id)).secrets
        assert held.get(field, ()) == ()
