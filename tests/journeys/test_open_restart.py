"""A bot elsewhere is told in order and in full, whenever Warmline is stopped: a node of its own, on both pairs."""

from __future__ import annotations

from typing import Any

from tests.journeys.test_open import INITIATE, Bot
from tests.support.journey import until, until_equal
from tests.support.pair import StorePair

from warmline.accounts.access import SYSTEM, Scope
from warmline.conformance.rigs.open import OpenRig
from warmline.conformance.stand import Stand, free_port, standing


async def _connect(stand: Stand, bot: Bot) -> tuple[str, str]:
    """The bot's connection and its key."""
    settings = {"url": bot.url, "ladder_of_widget": stand.widget_id}
    made = await stand.node.connections.create(
        SYSTEM, kind="open", name="Otto", settings=settings, bot_ids=[stand.bot_id]
    )
    bot.secret = made.secrets["signing_secret"]
    key = await stand.node.api_keys.create(SYSTEM, kind="v1", label="bot", scopes=[Scope.CONVERSATIONS_WRITE.value])
    return made.connection.id, key.token


async def _post(stand: Stand, connection_id: str, key: str, activity: dict[str, Any]) -> dict[str, Any]:
    body = {"conversation": {"id": "+45 1234"}, **activity}
    return await stand.post(f"/api/v1/connections/{connection_id}/activities", body, bearer=key)


async def test_what_a_bot_could_not_be_told_before_the_stop_it_is_told_after(pair: StorePair) -> None:
    port, bot = free_port(), Bot()
    settings = pair.settings(
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        allow_private_targets="127.0.0.0/8",
        rate_limit_scale=100,
    )
    async with OpenRig.running() as rig, bot.running(), standing(settings, rig.meet) as stand:
        await stand.furnish(rig.key, dict(rig.settings), rig.payload)
        await rig.subscribe(stand.address)
        connection_id, key = await _connect(stand, bot)
        taken = await _post(stand, connection_id, key, INITIATE | {"id": "a-1"})
        attempt = await rig.until_waiting()
        await rig.joins(attempt)
        await until_equal(bot.heard, ["accepted"])
        bot.failures = 1_000
        known = len(bot.tries)
        await rig.says(attempt, "one")
        await rig.says(attempt, "two")
        await until(lambda: len(bot.tries) > known)
        await stand.stop()
        bot.failures = 0
        await stand.start()
        await until(lambda: len(set(bot.heard())) >= 3)
        assert (await _post(stand, connection_id, key, INITIATE | {"id": "a-1"})) == taken
        await _post(stand, connection_id, key, {"type": "message", "id": "m-1", "text": "Are you back?"})
        await until_equal(lambda: rig.heard(attempt), ["Are you back?"])
        await rig.ends(attempt)
        await until(lambda: bot.heard()[-1] == "completed")
        # What may have been told just before the stop is told again under its id, and nothing overtakes.
        assert list(dict.fromkeys(bot.heard())) == ["accepted", "one", "two", "completed"]
        assert len({one["id"] for one in bot.told}) == 4
