"""How texts are compared: words without case and accents, and spelling that may be a little off.  Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("", "", "'’‘`´")

# One slip in a word of five letters gives a ratio of 0.8 ("retrn"/"return" 0.91, "delvery"/"delivery" 0.93), while
# different words stay below ("order"/"older" is 0.8: hence the strict comparison).
CLOSE = 0.8
_SHORTEST_FUZZY = 4
_LONGEST_ENDING = 3
MAX_WORDS = 60


@lru_cache(maxsize=16_384)
def normalise(text: str) -> str:
    """``text`` in one case, without accents and apostrophes; ``ß`` is ``ss``."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_APOSTROPHES))
    return "".join(character for character in plain if not unicodedata.combining(character))


def words(text: str) -> list[str]:
    """The normalised words of ``text`` in order, at most 60."""
    return _WORD.findall(normalise(text))[:MAX_WORDS]


def spelled_alike(left: str, right: str) -> bool:
    """Whether two normalised words are the same word: equal, with another ending, or with a slip of the finger.

    Both must begin with the same letter (slips there are rare, and it saves nearly all of the comparing).
    """
    if left == right:
        return True
    short, long = sorted((left, right), key=len)
    if len(short) < _SHORTEST_FUZZY or short[0] != long[0]:
        return False
    if long.startswith(short) and len(long) - len(short) <= _LONGEST_ENDING:
        return True
    return _ratio(short, long) > CLOSE


@lru_cache(maxsize=65_536)
def _ratio(left: str, right: str) -> float:
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if matcher.real_quick_ratio() <= CLOSE or matcher.quick_ratio() <= CLOSE:
        return 0.0
    return matcher.ratio()


class Vocabulary:
    """All words a bot knows, sorted by first letter, so that one message is compared in a few milliseconds."""

    def __init__(self, known: Iterable[str]) -> None:
        self._all = frozenset(known)
        self._by_letter: dict[str, list[str]] = {}
        for word in sorted(self._all):
            self._by_letter.setdefault(word[0], []).append(word)

    def meant(self, said: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Known word → the said words that may mean it.  A word known as it stands may differ in its ending only."""
        found: dict[str, set[str]] = {}
        for word in set(said):
            if word in self._all:
                found.setdefault(word, set()).add(word)
                if len(word) < _SHORTEST_FUZZY:
                    continue
            for known in self._by_letter.get(word[0], ()):
                if known != word and self._means(word, known):
                    found.setdefault(known, set()).add(word)
        return {known: frozenset(by) for known, by in found.items()}

    def _means(self, word: str, known: str) -> bool:
        if word in self._all:  # well spelled: only endings may differ
            short, long = sorted((word, known), key=len)
            return (
                len(short) >= _SHORTEST_FUZZY and long.startswith(short) and len(long) - len(short) <= _LONGEST_ENDING
            )
        return spelled_alike(word, known)
