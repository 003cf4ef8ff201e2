"""Whether a visitor asks for a person: always understood, in many phrasings and languages.  Pure after loading."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec

from warmline.bots.words import normalise, spelled_alike, words

_NEAR_TALK = 5
_NEAR_WANT = 3
_DENIAL = 3
# Shorter names for people ("rep", "biri", "kims") are common parts of other words' slips.
_SHORTEST_FUZZY = 5


class _Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of ``scripts/person.toml``; see there for what the lists mean."""

    talk: frozenset[str] = frozenset()
    want: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()
    filler: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()


def asks_for_person(text: str) -> bool:
    """Whether ``text`` asks to be connected with a person, in any of the known languages."""
    said = words(text)
    spaced = f" {' '.join(said)} "
    plain = normalise(text)
    return any(_asks(said, spaced, plain, wording) for wording in _wordings())


def _asks(said: list[str], spaced: str, plain: str, wording: _Wording) -> bool:
    for phrase in wording.phrases:
        # Scripts without spaces between words are searched as they stand.
        if not phrase.isascii() and not wording.people:
            if phrase in plain:
                return True
        elif f" {phrase} " in spaced and not _denied(said, said.index(phrase.split()[0]), wording):
            return True
    people = [place for place, word in enumerate(said) if _is_person(word, wording)]
    if not people:
        return False
    known = wording.people | wording.talk | wording.want | wording.filler
    if all(word in known or place in people for place, word in enumerate(said)):
        return not any(word in wording.never - wording.filler for word in said)
    return any(_asked_near(said, place, wording) for place in people)


def _asked_near(said: list[str], person: int, wording: _Wording) -> bool:
    for near, verbs in ((_NEAR_TALK, wording.talk), (_NEAR_WANT, wording.want)):
        # Some languages put the verb last, so both sides are searched.
        for place in range(max(0, person - near), min(len(said), person + near + 1)):
            if said[place] in verbs and not _denied(said, min(place, person), wording):
                return True
    return False


def _denied(said: list[str], place: int, wording: _Wording) -> bool:
    return any(word in wording.never for word in said[max(0, place - _DENIAL) : place])


def _is_person(word: str, wording: _Wording) -> bool:
    if word in wording.people:
        return True
    return any(
        len(known) >= _SHORTEST_FUZZY and len(known) - len(word) < 2 and spelled_alike(word, known)
        for known in wording.people
    )


@cache
def _wordings() -> tuple[_Wording, ...]:
    text = resources.files("warmline.bots").joinpath("scripts/person.toml").read_text(encoding="utf-8")
    found = msgspec.convert(tomllib.loads(text), type=dict[str, _Wording])
    return tuple(_normalised(wording) for wording in found.values())


def _normalised(wording: _Wording) -> _Wording:
    def each(listed: frozenset[str]) -> frozenset[str]:
        return frozenset(normalise(word) for word in listed)

    return _Wording(
        talk=each(wording.talk),
        want=each(wording.want),
        people=each(wording.people),
        filler=each(wording.filler),
        never=each(wording.never),
        phrases=tuple(normalise(phrase) for phrase in wording.phrases),
    )
