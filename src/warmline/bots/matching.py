"""Which of the script's questions a message asks.  Pure.

Every way to ask a question, in every language, is a set of words without stop words.  A message is compared with
each: the share of common words counts from both sides (Dice), so that neither a long message nor a long question
wins by length alone, and rare words weigh more than words that many questions share.  A keyword alone is enough.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import msgspec

from warmline.bots.script import Entry, Script
from warmline.bots.words import Vocabulary, words

# Half of the weight in common: "how long does delivery take" and "delivery how long for Sweden" agree, two questions
# that share only "order" do not.
THRESHOLD = 0.5
_KEYWORD = 0.6
_KEYWORD_MORE = 0.1

_EN = """
a an the i im me my we you your it its is are was be been am do does did can could would will shall should may
to of in on at for from with and or if but so that this there these those please hi hello hey have has had get
got want need know tell about what which how when where who why much many any some just also then than as by ive
id ill whats hows wheres theres not no yes us our they them he she his her up out
"""
_DE = """
ein eine einen einem einer der die das den dem des ich mich mir mein meine meinen meiner wir uns du dein sie ihr
ihre es ist sind war bin sein kann konnen konnte mochte will wollen wird werden soll zu von in im an am auf fur
aus mit und oder wenn aber so dass dies diese dieser bitte hallo hi haben hat habe gibt brauche wissen uber was
welche welcher wie wann wo wer warum viel viele etwas auch dann als bei nicht kein keine ja nein man euch eure
"""
STOP_WORDS: Mapping[str, frozenset[str]] = {"en": frozenset(_EN.split()), "de": frozenset(_DE.split())}
"""Normalised words that say nothing about what a question is about."""


class _Way(msgspec.Struct, frozen=True):
    """One way to ask an entry's question."""

    entry: int
    language: str
    words: frozenset[str]
    keyword: bool


class Match(msgspec.Struct, frozen=True):
    """The question a message asks, the language it was asked in, and how sure that is (0 to 1)."""

    entry: Entry
    language: str
    score: float


class Matcher:
    """Finds the question; built once per script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        extra = {
            language: frozenset(w for text in listed for w in words(text))
            for language, listed in script.stop_words.items()
        }
        self._stop = {
            language: STOP_WORDS.get(language, frozenset()) | extra.get(language, frozenset())
            for language in {*STOP_WORDS, *extra}
        }
        self._ways = [way for i, entry in enumerate(script.faq) for way in self._ways_of(i, entry)]
        self._vocabulary = Vocabulary({word for way in self._ways for word in way.words})
        spread = Counter(word for word, _ in {(word, way.entry) for way in self._ways for word in way.words})
        self._weight = {word: 1 / math.sqrt(count) for word, count in spread.items()}

    def find(self, text: str, language: str) -> Match | None:
        """The best match at or above the threshold; ``language`` (like ``de``) wins a tie."""
        said = words(text)
        if not said:
            return None
        heard = self._vocabulary.meant(said)
        best: tuple[float, bool, int] | None = None
        found: _Way | None = None
        keywords = Counter(way.entry for way in self._ways if way.keyword and way.words <= heard.keys())
        for way in self._ways:
            score = self._score(way, said, heard, keywords)
            rank = (score, way.language == language, -way.entry)
            if score >= THRESHOLD and (best is None or rank > best):
                best, found = rank, way
        if found is None or best is None:
            return None
        return Match(entry=self._script.faq[found.entry], language=found.language, score=best[0])

    def _score(self, way: _Way, said: list[str], heard: Mapping[str, frozenset[str]], keywords: Counter[int]) -> float:
        common = [word for word in way.words if word in heard]
        # One word out of a longer question says little ("time" of "delivery time"); of a keyword, nothing.
        if not common or len(common) < (len(way.words) if way.keyword else min(2, len(way.words))):
            return 0.0
        stop = self._stop.get(way.language, frozenset())
        matched = {word for known in common for word in heard[known]}
        # Words nobody taught the bot weigh half: they are mostly names, places and politeness.
        said_weight = sum(
            max((self._weight[k] for k in common if word in heard[k]), default=0.5)
            for word in {*said} - (stop - matched)
        )
        own_weight = sum(self._weight[word] for word in way.words)
        common_weight = sum(self._weight[word] for word in common)
        dice = 2 * common_weight / (own_weight + said_weight)
        if way.keyword:
            more = _KEYWORD_MORE * min(3, keywords[way.entry] - 1)
            return min(1.0, max(dice, _KEYWORD + more))
        return min(1.0, dice)

    def _ways_of(self, index: int, entry: Entry) -> list[_Way]:
        variants = [(self._script.language, entry.questions, entry.keywords)]
        variants += [(name, each.questions, each.keywords) for name, each in entry.translations.items()]
        found = []
        for language, questions, keywords in variants:
            for text in questions:
                kept = frozenset(words(text)) - self._stop.get(language, frozenset())
                # A question made of stop words only ("How much?") keeps them.
                found.append(_Way(index, language, kept or frozenset(words(text)), keyword=False))
            found += [_Way(index, language, frozenset(words(text)), keyword=True) for text in keywords]
        return [way for way in found if way.words]
