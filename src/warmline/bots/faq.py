"""The first engine: greets, answers from a list of questions, and knows when to fetch a person.  Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from warmline.bots.engine import (
    MAX_TEXT,
    HandoverOver,
    OfferContact,
    RequestHandover,
    Run,
    Said,
    Say,
    Started,
    Trigger,
    Turn,
)
from warmline.bots.matching import Matcher
from warmline.bots.person import asks_for_person
from warmline.bots.script import Script, Words, buttons_of
from warmline.bots.words import normalise
from warmline.conversations.events import Button

OFFER_AFTER = 2
"""Turns in a row that were not understood until the bot offers a person; one more, and it fetches one."""


class FaqEngine:
    """Answers from a script.

    Its run: ``misses`` (turns not understood in a row), ``language`` (of the last question, when it was another than
    the page's), ``after`` (``failed`` while "try again" means trying to reach a person).
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._matcher = Matcher(script)
        self._languages = (script.language, *script.translations)

    def turn(self, run: Run, trigger: Trigger) -> Turn:
        """The answer to ``trigger``."""
        language = self._language(run, trigger.language)
        words = self._script.words(language)
        match trigger:
            case Started():
                return Turn(says=(Say(text=_text(words.greeting), buttons=buttons_of(words.replies or ())),))
            case HandoverOver():
                return self._returned(run, trigger, words)
            case Said():
                return self._answer(run, trigger.text[:MAX_TEXT], language, words)
            case _:
                assert_never(trigger)

    def _returned(self, run: Run, trigger: HandoverOver, words: Words) -> Turn:
        kept = _kept(run)
        replies = buttons_of(words.replies or ())
        if trigger.outcome == "failed":
            say = Say(text=_text(words.handover_failed), buttons=(Button(text=_text(words.try_again)),))
            return Turn(
                says=(say,), run={**kept, "after": "failed"}, effects=(OfferContact(text=_text(words.leave_contact)),)
            )
        after = {"idle": words.after_idle, "desk_lost": words.after_lost}.get(trigger.reason, words.after_agent)
        text = words.handover_cancelled if trigger.outcome == "cancelled" else after
        return Turn(says=(Say(text=_text(text), buttons=replies),), run=kept)

    def _answer(self, run: Run, text: str, language: str, words: Words) -> Turn:
        if self._is_button(text, lambda each: each.try_again):
            if run.get("after") == "failed":
                return self._hand_over(run, words)
            say = Say(text=_text(words.try_again_text), buttons=buttons_of(words.replies or ()))
            return Turn(says=(say,), run=run)
        if self._is_button(text, lambda each: each.leave_contact):
            return Turn(says=(Say(text=_text(words.contact_hint)),), run=_kept(run))
        if self._is_button(text, lambda each: each.talk_to_person) or asks_for_person(text):
            return self._hand_over(run, words)
        match = self._matcher.find(text, language)
        if match is None:
            return self._missed(run, words)
        variant = match.entry.translations.get(match.language)
        answer = (variant.answer if variant else None) or match.entry.answer
        choices = variant.buttons if variant and variant.buttons is not None else match.entry.buttons
        kept = _kept(run) if match.language == language else {"language": match.language}
        return Turn(says=(Say(text=answer, buttons=buttons_of(choices)),), run=kept)

    def _missed(self, run: Run, words: Words) -> Turn:
        misses = int(run.get("misses", 0)) + 1
        kept = {**_kept(run), "misses": misses}
        if misses > OFFER_AFTER:
            return Turn(
                says=(Say(text=_text(words.giving_up)),),
                run=_kept(run),
                effects=(RequestHandover(reason="not_understood"),),
            )
        if misses == OFFER_AFTER:
            buttons = (Button(text=_text(words.talk_to_person)), Button(text=_text(words.try_again)))
            return Turn(says=(Say(text=_text(words.offer_person), buttons=buttons),), run=kept)
        say = Say(text=_text(words.not_understood), buttons=buttons_of(words.replies or ()))
        return Turn(says=(say,), run=kept)

    def _hand_over(self, run: Run, words: Words) -> Turn:
        return Turn(
            says=(Say(text=_text(words.handing_over)),),
            run=_kept(run),
            effects=(RequestHandover(reason="requested_by_visitor"),),
        )

    def _is_button(self, text: str, pick: Callable[[Words], str | None]) -> bool:
        said = normalise(text).strip()
        return any(normalise(_text(pick(self._script.words(each)))) == said for each in self._languages)

    def _language(self, run: Run, wanted: str) -> str:
        known = str(run.get("language", "")) or wanted.partition("-")[0].lower()
        return known if known in self._languages else self._script.language


def _kept(run: Run) -> Run:
    return {"language": run["language"]} if "language" in run else {}


def _text(text: str | None) -> str:
    assert text is not None, "Script.words leaves no text out"
    return text
