"""The file format of the first bot: a greeting, quick replies and a list of questions with answers, in TOML.

Top-level texts are in the script's own language; ``[translations.de]`` and ``[faq.translations.de]`` hold variants,
of which every text may be missing (the script's own language then stands in).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources

import msgspec

from warmline.conversations.events import Button
from warmline.kernel.errors import Invalid

MAX_SCRIPT = 200_000
"""Characters of a script."""
_MAX_TEXT = 4_000
_MAX_BUTTON = 80
_MAX_BUTTONS = 10
_MAX_ENTRIES = 300
_MAX_QUESTIONS = 40
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_AT = re.compile(r" - at `([^`]*)`$")


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A button that opens a page."""

    text: str
    url: str


Choice = str | Link
"""A button as written in a script: a text is a quick reply, a table with ``text`` and ``url`` a link."""


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bot says around its answers, in one language.  None: the script's own language stands in."""

    greeting: str | None = None
    replies: tuple[Choice, ...] | None = None
    not_understood: str | None = None
    offer_person: str | None = None
    try_again_text: str | None = None
    handing_over: str | None = None
    giving_up: str | None = None
    handover_failed: str | None = None
    handover_cancelled: str | None = None
    after_agent: str | None = None
    after_idle: str | None = None
    after_lost: str | None = None
    contact_hint: str | None = None
    talk_to_person: str | None = None
    try_again: str | None = None
    leave_contact: str | None = None


DEFAULT_WORDS = Words(
    greeting="Hello! How can I help?",
    replies=(),
    not_understood="I did not quite get that. Could you put it in other words?",
    offer_person="I am sorry, I still do not understand. Would you like to talk to a person?",
    try_again_text="Of course. What would you like to know?",
    handing_over="Of course. I am looking for a person for you; please stay here.",
    giving_up="I cannot help you with that. I am looking for a person who can; please stay here.",
    handover_failed="I am sorry, nobody is free right now. Leave your contact and we will come back to you.",
    handover_cancelled="All right, I am here again. What would you like to know?",
    after_agent="I hope my colleague could help you. Is there anything else I can do?",
    after_idle="It was quiet for a while, so the talk with my colleague has ended. Is there anything else I can do?",
    after_lost="I am sorry, the connection to my colleague was lost. Ask me for a person to try it once more.",
    contact_hint="Please write your e-mail address or phone number into the form of this chat.",
    talk_to_person="Talk to a person",
    try_again="Try again",
    leave_contact="Leave my contact",
)


_OWN_DEFAULTS: dict[str, Words] = {
    "de": Words(
        after_idle="Eine Weile wurde nichts geschrieben, deshalb ist das Gespräch beendet. Kann ich noch etwas tun?",
        after_lost="Es tut mir leid, die Verbindung ist abgerissen. Sagen Sie mir, wenn ich noch einmal jemanden suchen soll.",
    ),
    "es": Words(
        after_idle="Como nadie ha escrito durante un rato, la conversación ha terminado. ¿Puedo hacer algo más?",
        after_lost="Lo siento, se ha perdido la conexión. Dígame si quiere que busque otra vez a una persona.",
    ),
    "fr": Words(
        after_idle="Plus personne n’écrivait depuis un moment : la conversation a pris fin. Puis-je faire autre chose ?",
        after_lost="Je suis désolé, la liaison a été perdue. Dites-moi si je dois chercher à nouveau quelqu’un.",
    ),
    "he": Words(
        after_idle="היה שקט זמן מה, ולכן השיחה הסתיימה. אפשר לעזור בעוד משהו?",
        after_lost="מצטערים, החיבור נותק. אפשר לבקש ממני לחפש שוב נציג.",
    ),
    "ar": Words(
        after_idle="ساد الصمت لبعض الوقت، لذلك انتهت المحادثة. هل يمكنني المساعدة في شيء آخر؟",
        after_lost="نأسف، انقطع الاتصال. يمكنك أن تطلب مني البحث عن شخص مرة أخرى.",
    ),
}
"""What scripts written before these sentences existed say, in the widget's languages."""


class EntryWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question in another language."""

    questions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    answer: str | None = None
    buttons: tuple[Choice, ...] | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with its answer: ways to ask it, and words that alone are enough."""

    id: str
    answer: str
    questions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    buttons: tuple[Choice, ...] = ()
    translations: dict[str, EntryWords] = {}


class Script(Words, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole bot script."""

    greeting: str
    language: str = "en"
    stop_words: dict[str, tuple[str, ...]] = {}
    translations: dict[str, Words] = {}
    faq: tuple[Entry, ...] = ()

    def words(self, language: str) -> Words:
        """All texts for ``language`` (like ``de`` or ``de-AT``), nothing missing."""
        base = language.partition("-")[0].lower()
        own = self.translations.get(base, Words())
        spoken = base if base in self.translations else self.language
        sources = (own, self, _OWN_DEFAULTS.get(spoken, Words()), DEFAULT_WORDS)
        return Words(
            **{
                name: next(text for source in sources if (text := getattr(source, name)) is not None)
                for name in Words.__struct_fields__
            }
        )


def parse_script(text: str) -> Script:
    """The script written in ``text``.  Raises Invalid whose ``path`` names the line or the field."""
    if len(text) > MAX_SCRIPT:
        raise Invalid(f"A script has at most {MAX_SCRIPT} characters.", path="$.script")
    try:
        script = msgspec.convert(tomllib.loads(text), type=Script)
    except tomllib.TOMLDecodeError as bad:
        raise Invalid(f"The script is not valid TOML: {bad}.", path="$.script") from bad
    except msgspec.ValidationError as bad:
        message = str(bad)
        at = _AT.search(message)
        where = "$.script" + at.group(1).removeprefix("$") if at else "$.script"
        raise Invalid(_AT.sub("", message) + ".", path=where) from bad
    except RecursionError as bad:
        raise Invalid("The script is nested too deeply.", path="$.script") from bad
    _check(script)
    return script


def default_script() -> str:
    """The text of the script that the demo's shop uses."""
    return resources.files("warmline.bots").joinpath("scripts/default.toml").read_text(encoding="utf-8")


def buttons_of(choices: tuple[Choice, ...]) -> tuple[Button, ...]:
    """The buttons as they stand in a message."""
    return tuple(
        Button(text=choice) if isinstance(choice, str) else Button(text=choice.text, kind="link", url=choice.url)
        for choice in choices
    )


def _check(script: Script) -> None:
    languages = [("$.script.language", script.language)]
    languages += [(f"$.script.translations.{name}", name) for name in script.translations]
    languages += [
        (f"$.script.faq[{i}].translations.{name}", name)
        for i, entry in enumerate(script.faq)
        for name in entry.translations
    ]
    for path, language in languages:
        if not _LANGUAGE.fullmatch(language):
            raise Invalid("A language is written like en or de.", path=path)
    if len(script.faq) > _MAX_ENTRIES:
        raise Invalid(f"A script has at most {_MAX_ENTRIES} questions.", path="$.script.faq")
    seen: set[str] = set()
    for i, entry in enumerate(script.faq):
        _check_entry(entry, f"$.script.faq[{i}]", seen)
    for path, text in _texts(script):
        if not 1 <= len(text.strip()) <= _MAX_TEXT:
            raise Invalid(f"A text has 1 to {_MAX_TEXT} characters.", path=path)
    for path, choices in _choices(script):
        _check_choices(choices, path)


def _check_entry(entry: Entry, path: str, seen: set[str]) -> None:
    if not _ID.fullmatch(entry.id):
        raise Invalid("An id is made of a-z, 0-9, - and _.", path=f"{path}.id")
    if entry.id in seen:
        raise Invalid(f"The id {entry.id} is used twice.", path=f"{path}.id")
    seen.add(entry.id)
    if not entry.questions and not entry.keywords:
        raise Invalid("Give questions or keywords, or nobody will find this answer.", path=path)
    variants: list[tuple[str, Entry | EntryWords]] = [(path, entry)]
    variants += [(f"{path}.translations.{name}", words) for name, words in entry.translations.items()]
    for where, words in variants:
        for field, listed in (("questions", words.questions), ("keywords", words.keywords)):
            if len(listed) > _MAX_QUESTIONS:
                raise Invalid(f"At most {_MAX_QUESTIONS} entries.", path=f"{where}.{field}")
            for number, text in enumerate(listed):
                if not 1 <= len(text.strip()) <= 300:
                    raise Invalid("1 to 300 characters.", path=f"{where}.{field}[{number}]")


def _check_choices(choices: tuple[Choice, ...], path: str) -> None:
    if len(choices) > _MAX_BUTTONS:
        raise Invalid(f"At most {_MAX_BUTTONS} buttons.", path=path)
    for number, choice in enumerate(choices):
        text = choice if isinstance(choice, str) else choice.text
        if not 1 <= len(text.strip()) <= _MAX_BUTTON:
            raise Invalid(f"A button has 1 to {_MAX_BUTTON} characters.", path=f"{path}[{number}]")
        if isinstance(choice, Link) and not choice.url.startswith(("https://", "http://", "/", "mailto:", "tel:")):
            raise Invalid("A link begins with https://, http://, /, mailto: or tel:.", path=f"{path}[{number}].url")


def _texts(script: Script) -> Iterator[tuple[str, str]]:
    for path, words in _all_words(script):
        for name in Words.__struct_fields__:
            text = getattr(words, name)
            if isinstance(text, str):
                yield f"{path}.{name}", text
    for i, entry in enumerate(script.faq):
        yield f"$.script.faq[{i}].answer", entry.answer
        for language, variant in entry.translations.items():
            if variant.answer is not None:
                yield f"$.script.faq[{i}].translations.{language}.answer", variant.answer


def _choices(script: Script) -> Iterator[tuple[str, tuple[Choice, ...]]]:
    for path, words in _all_words(script):
        yield f"{path}.replies", words.replies or ()
    for i, entry in enumerate(script.faq):
        yield f"$.script.faq[{i}].buttons", entry.buttons
        for language, variant in entry.translations.items():
            yield f"$.script.faq[{i}].translations.{language}.buttons", variant.buttons or ()


def _all_words(script: Script) -> Iterator[tuple[str, Words]]:
    yield "$.script", script
    for language, words in script.translations.items():
        yield f"$.script.translations.{language}", words
