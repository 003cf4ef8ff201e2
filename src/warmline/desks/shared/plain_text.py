"""What an agent wrote as HTML, as the plain text that visitors are shown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nh3

_BLOCKS = frozenset(
    {
        "p",
        "div",
        "ul",
        "ol",
        "table",
        "tr",
        "blockquote",
        "pre",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "section",
        "article",
    }
)
_APART = frozenset({"p", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"})
_KEPT = _BLOCKS | {"br", "li", "a", "img", "td", "th", "hr"}
_SCHEMES = {"http", "https", "mailto", "tel"}
_SPACES = re.compile(r"[ \t\r\n\f]+")
_EDGES = re.compile(r" *\n *")
_GAPS = re.compile(r"\n{3,}")


class _Writer(HTMLParser):
    """Writes down the text of cleaned markup; tags become line breaks, bullets and targets of links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._lists: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in _BLOCKS:
            self._break(tag)
            if tag in {"ul", "ol"}:
                self._lists.append(0 if tag == "ol" else None)
        elif tag in {"br", "hr"}:
            self.parts.append("\n")
        elif tag == "li":
            self._item()
        elif tag in {"td", "th"}:
            self.parts.append(" ")
        elif tag == "a":
            self._links.append((told.get("href") or "", len(self.parts)))
        elif tag == "img":
            self.parts.append(told.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._break(tag)
            if tag in {"ul", "ol"} and self._lists:
                self._lists.pop()
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())

    def handle_data(self, data: str) -> None:
        self.parts.append(_SPACES.sub(" ", data))

    def _break(self, tag: str) -> None:
        self.parts.append("\n\n" if tag in _APART else "\n")

    def _item(self) -> None:
        number = self._lists[-1] if self._lists else None
        if number is None:
            self.parts.append("\n- ")
        else:
            self._lists[-1] = number + 1
            self.parts.append(f"\n{number + 1}. ")

    def _end_link(self, target: str, begun: int) -> None:
        said = "".join(self.parts[begun:]).strip()
        shown = target.removeprefix("mailto:").removeprefix("tel:")
        if not said:
            self.parts.append(shown)
        elif shown and shown.rstrip("/") not in {said, said.rstrip("/")}:
            self.parts.append(f" ({shown})")


def plain_text(html: str) -> str:
    """The words of ``html``: paragraphs, lists, and the targets of links that the text does not show.

    Scripts, styles and comments are dropped with what they hold (nh3 cleans first), and so are targets that are not
    http, https, mailto or tel.  Plain text passes as it is but for runs of spaces and line breaks, which are one space in
    HTML; whoever gets text and not markup does not call this.
    """
    cleaned = nh3.clean(
        html,
        tags=set(_KEPT),
        clean_content_tags={"script", "style", "head", "title", "template", "noscript"},
        attributes={"a": {"href"}, "img": {"alt"}},
        url_schemes=_SCHEMES,
        link_rel=None,
    )
    writer = _Writer()
    writer.feed(cleaned)
    writer.close()
    text = "".join(writer.parts).replace("\xa0", " ")
    return _GAPS.sub("\n\n", _EDGES.sub("\n", re.sub(r" {2,}", " ", text))).strip()
