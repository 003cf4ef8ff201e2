"""Bot scripts are checked when stored, and the sentence names the place."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.support.core import Core, open_core
from tests.support.pair import StorePair

from warmline.bots.script import MAX_SCRIPT, Link, buttons_of, default_script, parse_script
from warmline.bots.service import Bots
from warmline.bots.words import MAX_WORDS, spelled_alike, words
from warmline.kernel.clock import ManualClock
from warmline.kernel.errors import Invalid, NotFound

FAQ = 'greeting = "hi"\n[[faq]]\nid = "a"\nanswer = "yes"\nkeywords = ["a"]\n'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "$.script"),
        ("greeting = ", "$.script"),
        ("greeting = 7", "$.script.greeting"),
        ('greeting = "  "', "$.script.greeting"),
        ('greeting = "hi"\ngreetings = "typo"', "$.script"),
        ('greeting = "hi"\nlanguage = "english"', "$.script.language"),
        ('greeting = "hi"\n[translations.German]\ngreeting = "x"', "$.script.translations.German"),
        ('greeting = "hi"\nreplies = [""]', "$.script.replies[0]"),
        ('greeting = "hi"\nreplies = [{ text = "x", url = "javascript:alert(1)" }]', "$.script.replies[0].url"),
        ('greeting = "hi"\n[[faq]]\nid = "a"', "$.script.faq[0]"),
        ('greeting = "hi"\n[[faq]]\nid = "a"\nanswer = "yes"', "$.script.faq[0]"),
        ('greeting = "hi"\n[[faq]]\nid = "A b"\nanswer = "yes"\nkeywords = ["a"]', "$.script.faq[0].id"),
        (FAQ + FAQ.partition("\n")[2], "$.script.faq[1].id"),
        (FAQ.replace('["a"]', '["a", " "]'), "$.script.faq[0].keywords[1]"),
        (FAQ + '[faq.translations.de]\nanswer = ""', "$.script.faq[0].translations.de.answer"),
        ("#" * (MAX_SCRIPT + 1), "$.script"),
        ("a = " + "[" * 5_000 + "]" * 5_000, "$.script"),
    ],
)
def test_a_bad_script_is_refused_with_its_place(text: str, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_script(text)
    assert refused.value.fields["path"] == path
    assert refused.value.detail.endswith(".")


def test_texts_that_are_left_out_are_filled_in() -> None:
    words_of = parse_script('greeting = "hi"\n[translations.de]\ntry_again = "Nochmal"').words("de-CH")
    assert (words_of.greeting, words_of.try_again, words_of.talk_to_person) == ("hi", "Nochmal", "Talk to a person")


def test_sentences_that_older_scripts_do_not_have_come_in_their_language() -> None:
    old = parse_script('greeting = "hallo"\nlanguage = "de"\n[translations.fr]\ntry_again = "Encore"')
    texts = {language: old.words(language).after_lost or "" for language in ("de", "fr", "en")}
    assert "Verbindung" in texts["de"]
    assert "liaison" in texts["fr"]
    assert texts["en"] == texts["de"], "who speaks a language that the script does not have hears the script's own"
    new = parse_script('greeting = "hi"\nafter_lost = "Gone."\n[translations.de]\ntry_again = "Nochmal"')
    assert new.words("de").after_lost == "Gone."


def test_links_and_replies_become_buttons() -> None:
    link, reply = buttons_of((Link(text="Shop", url="https://shop.example"), "Returns"))
    assert (link.kind, link.url, reply.kind, reply.url) == ("link", "https://shop.example", "reply", None)


def test_words_forgive_case_accents_and_slips_but_not_other_words() -> None:
    assert words("Größe, où L’été") == ["grosse", "ou", "lete"]
    assert len(words("a " * 500)) == MAX_WORDS
    assert spelled_alike("delivery", "delivry")
    assert spelled_alike("return", "returned")
    assert not spelled_alike("order", "older")
    assert not spelled_alike("pay", "day")


@pytest.fixture
async def core(pair: StorePair, clock: ManualClock) -> AsyncIterator[Core]:
    async with open_core(pair, clock) as opened:
        yield opened


async def test_bots_are_stored_listed_and_changed(core: Core) -> None:
    bots = Bots(core.journal, core.clock)
    bot = await bots.create(name=" Shop ", script=default_script())
    assert (len(bot.id), bot.name) == (24, "Shop")
    assert await bots.get(bot.id) == bot
    other = await bots.create(name="Other", script='greeting = "hi"', bot_id="a" * 24)
    assert {each.id for each in await bots.list()} == {bot.id, other.id}
    assert [each.id for each in await bots.list(search="oth")] == [other.id]
    core.clock.advance(1_000)
    changed = await bots.update(bot.id, name="New")
    assert (changed.name, changed.script, changed.updated_at) == ("New", bot.script, bot.updated_at + 1_000)
    with pytest.raises(Invalid) as refused:
        await bots.update(bot.id, script="greeting = 7")
    assert refused.value.fields["path"] == "$.script.greeting"
    assert await bots.get(bot.id) == changed
    with pytest.raises(NotFound):
        await bots.update("b" * 24, name="x")
    with pytest.raises(NotFound):
        await bots.brain("b" * 24)
    for fields in ({"name": ""}, {"bot_id": "XYZ"}):
        with pytest.raises(Invalid):
            await bots.create(**({"name": "x", "script": 'greeting = "hi"'} | fields))
