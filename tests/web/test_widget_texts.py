"""The widget's words: every language says everything, with the same blanks, in the plural forms it has."""

from __future__ import annotations

import re
from typing import Any

import pytest

from warmline.web.widget import texts

# Unicode CLDR 46, cardinal categories.
CATEGORIES = {
    "ar": {"zero", "one", "two", "few", "many", "other"},
    "de": {"one", "other"},
    "en": {"one", "other"},
    "es": {"one", "many", "other"},
    "fr": {"one", "many", "other"},
    "he": {"one", "two", "other"},
}
# What means the same in several languages.
ALIKE = {"launcher.title", "log.label", "contact.name", "author.bot", "author.says"}
OTHERS = sorted(set(CATEGORIES) - {texts.FALLBACK})


def blanks(entry: Any) -> set[str]:
    """The {names} of an entry, of all its plural forms together."""
    forms = entry.values() if isinstance(entry, dict) else [entry]
    return {name for form in forms for name in re.findall(r"\{(\w+)\}", form)}


def test_these_are_the_languages() -> None:
    assert set(texts.languages()) == set(CATEGORIES)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_says_everything_with_the_same_blanks(language: str) -> None:
    english, own = texts.table(texts.FALLBACK), texts.own_table(language)
    assert list(own) == list(english)
    assert {key: blanks(entry) for key, entry in own.items()} == {key: blanks(entry) for key, entry in english.items()}
    assert {key for key, entry in own.items() if entry == english[key]} <= ALIKE


@pytest.mark.parametrize("language", sorted(CATEGORIES))
def test_plural_entries_have_the_forms_of_their_language(language: str) -> None:
    plural = {key: set(entry) for key, entry in texts.own_table(language).items() if isinstance(entry, dict)}
    assert plural == dict.fromkeys(("waiting.position", "waiting.minutes"), CATEGORIES[language])


@pytest.mark.parametrize(
    ("wanted", "accepted", "language", "direction"),
    [
        ("ar", "en", "ar", "rtl"),
        ("", "he-IL,he;q=0.9,en;q=0.8", "he", "rtl"),
        ("", "pt, fr-CH;q=0.8, en;q=0.9", "en", "ltr"),
        ("de-AT", "", "de", "ltr"),
        ("xx", "", "en", "ltr"),
    ],
)
def test_the_widget_speaks_what_was_asked_for(wanted: str, accepted: str, language: str, direction: str) -> None:
    chosen = texts.choose(wanted, accepted)
    assert (chosen, texts.direction(chosen)) == (language, direction)
