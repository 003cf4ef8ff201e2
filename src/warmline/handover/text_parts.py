"""A text in parts that a desk can take: cut where a reader would pause, and never inside of what is one character to the eye.  Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_ZWJ = "\u200d"
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_LINE = re.compile(r"\s*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?…؟۔])[\"'»”’)]*\s+|(?<=[。！？])")
_WORD = re.compile(r"\s+")


def split_text(text: str, limit: int | None) -> tuple[str, ...]:
    """Parts of at most ``limit`` characters, in order; white space where two parts meet is dropped.

    A character above U+FFFF counts as two: some vendors count so, and nobody counts more.
    """
    if limit is None or _size(text) <= limit:
        return (text,)
    parts: list[str] = []
    rest = text.strip()
    while _size(rest) > limit:
        end, begin = _border(rest, _reach(rest, limit))
        parts.append(rest[:end].rstrip())
        rest = rest[begin:].lstrip()
    return (*parts, rest) if rest else tuple(parts)


def _size(text: str) -> int:
    return len(text) + sum(1 for one in text if one > "\uffff")


def _reach(text: str, limit: int) -> int:
    """How many characters fit."""
    left = limit
    for index, one in enumerate(text):
        left -= 2 if one > "\uffff" else 1
        if left < 0:
            return max(index, 1)
    return len(text)


def _border(text: str, most: int) -> tuple[int, int]:
    """Where the first part ends and the rest begins: after a paragraph, a line, a sentence, a word, or a character."""
    for pattern, least in ((_PARAGRAPH, most // 2), (_LINE, most // 2), (_SENTENCE, most // 2), (_WORD, most // 4)):
        found = [match for match in pattern.finditer(text, 0, most + 1) if least < match.start() <= most]
        if found:
            return found[-1].start(), found[-1].end()
    cut = most
    while cut > 0 and _joined(text, cut):
        cut -= 1
    # A character that is longer than a whole part is cut somewhere all the same.
    return (cut, cut) if cut else (most, most)


def _joined(text: str, place: int) -> bool:
    """Whether what stands left and right of ``place`` is one character to a reader (the rules of UAX 29 that matter)."""
    left, right = text[place - 1], text[place]
    return any(rule(left, right) for rule in _RULES) or _splits_flag(text, place)


def _extends(_left: str, right: str) -> bool:
    # Combining marks and variation selectors, skin tones, tag characters: all of them belong to what precedes.
    return (
        unicodedata.category(right) in {"Mn", "Me", "Mc"}
        or right == _ZWJ
        or "\U0001f3fb" <= right <= "\U0001f3ff"
        or "\U000e0020" <= right <= "\U000e007f"
    )


def _after_joiner(left: str, _right: str) -> bool:
    return left == _ZWJ


def _line_end(left: str, right: str) -> bool:
    return left == "\r" and right == "\n"


def _syllable(left: str, right: str) -> bool:
    # Hangul written letter by letter: what is no beginning of a syllable belongs to what precedes.
    if "\u1100" <= right <= "\u115f":
        return "\u1100" <= left <= "\u115f"
    return "\u1160" <= right <= "\u11ff" and ("\u1100" <= left <= "\u11ff" or "\uac00" <= left <= "\ud7a3")


_RULES: tuple[Callable[[str, str], bool], ...] = (_extends, _after_joiner, _line_end, _syllable)


def _splits_flag(text: str, place: int) -> bool:
    """Flags are pairs of regional letters: a border is right only after an even number of them."""
    if not (_is_regional(text[place]) and _is_regional(text[place - 1])):
        return False
    start = place
    while start > 0 and _is_regional(text[start - 1]):
        start -= 1
    return (place - start) % 2 == 1


def _is_regional(one: str) -> bool:
    return "\U0001f1e6" <= one <= "\U0001f1ff"
