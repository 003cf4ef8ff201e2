"""What a message says in plain words, whatever its type and format; agents of Salesforce write plain text.

Documented: the types and formats.  Texts, attachments and links are read where the documentation has them; of everything
else the words in it are shown, so that nothing an agent sends is lost without a trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from warmline.handover.port import VendorFile

_TOLD = ("text", "title", "subTitle", "label", "url")
_HIDDEN = frozenset({"attachments", "optionIdentifier", "itemType", "formatType", "imageAssetUrl", "assetUrl"})
_FILES = frozenset({"Attachments", "ExternalAttachments"})
_FORM = "(A form was sent that cannot be shown here.)"
_UNSHOWN = "(Something was sent that cannot be shown here: {})"


def words_of(message: Mapping[str, Any]) -> str:
    """The text of an ``abstractMessage``; "" for one that only carries files."""
    kind = str(message.get("messageType") or "")
    content = message.get("staticContent")
    if isinstance(content, dict):
        format_type = str(content.get("formatType") or "Text")
        if format_type == "Text" or format_type in _FILES:
            return str(content.get("text") or "")
        return _joined(content) or _UNSHOWN.format(format_type)
    if kind == "ChoicesMessage":
        return _choices(message.get("choices"))
    if kind == "FormMessage":
        return "\n".join(filter(None, (_title_of(message.get("form")), _FORM)))
    body = {name: value for name, value in message.items() if isinstance(value, dict | list)}
    return _joined(body) or _UNSHOWN.format(kind or "a message without a type")


def files_of(message: Mapping[str, Any]) -> tuple[VendorFile, ...]:
    """The files of an ``abstractMessage``.  That their addresses need no credentials is assumed."""
    content = message.get("staticContent")
    given = content.get("attachments") if isinstance(content, dict) else None
    return tuple(
        VendorFile(url=one["url"], name=str(one.get("name") or ""), media_type=str(one.get("mimeType") or ""))
        for one in (given if isinstance(given, list) else ())
        if isinstance(one, dict) and isinstance(one.get("url"), str)
    )


def _choices(given: Any) -> str:
    if not isinstance(given, dict):
        return _UNSHOWN.format("ChoicesMessage")
    options = [line for one in _listed(given) if (line := " – ".join(_strings(one)))]
    return "\n".join([str(given.get("text") or ""), *(f"- {line}" for line in options)]).strip()


def _listed(given: Mapping[str, Any]) -> list[Any]:
    return [one for value in given.values() if isinstance(value, list) for one in value]


def _title_of(given: Any) -> str:
    return next(_strings(given), "")


def _joined(given: Any) -> str:
    return "\n".join(dict.fromkeys(_strings(given)))


def _strings(given: Any) -> Iterator[str]:
    """The words in a structure: titles, texts and addresses, in their order."""
    if isinstance(given, dict):
        for name, value in given.items():
            if isinstance(value, str):
                if name in _TOLD and value.strip():
                    yield value.strip()
            elif name not in _HIDDEN:
                yield from _strings(value)
    elif isinstance(given, list):
        for one in given:
            yield from _strings(one)
