"""The widget's files without their comments and indentation: what a browser does not need does not travel."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<string>  "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    | (?P<space>   \s+ )
    | (?P<plain>   [^\s/"'`{}]+ (?: [ ] [^\s/"'`{}]+ )* )
    | (?P<other>   . )
    """,
    re.DOTALL | re.VERBOSE,
)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.DOTALL)
_STYLE = re.compile(r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?:/\*.*?\*/|\s+)+""", re.DOTALL)
# After these words a slash begins a regular expression; after any other word, and after a closing bracket, it divides.
_BEFORE_REGEX = re.compile(r"\b(?:return|typeof|instanceof|in|of|new|delete|void|throw|case|do|else|await|yield)$")


def lighten_script(script: str) -> str:
    """The script without comments, indentation and empty lines.  Strings, templates and regular expressions stay.

    It reads tokens, not grammar: a regular expression right after ``)`` or ``}`` is taken for a division.  Raises
    ValueError for a script that it cannot read to the end.
    """
    kept: list[str] = []
    before = ""  # the last token that is neither space nor comment
    braces: list[int] = []  # of every template that is open: how many braces inside its ${ }
    place = 0
    while place < len(script):
        kind, token = _next(script, place, before)
        place += len(token)
        if kind in {"comment", "space"}:
            _gap(kept, token)
            continue
        if token == "{" and braces:
            braces[-1] += 1
        elif token == "}" and braces and braces[-1]:
            braces[-1] -= 1
        elif token == "`" or (token == "}" and braces):
            if token == "}":
                braces.pop()
            rest = _TEMPLATE.match(script, place)
            if rest is None:
                raise ValueError("a template string has no end")
            if rest[0].endswith("${"):
                braces.append(0)
            token, place = token + rest[0], rest.end()
        kept.append(token)
        before = token
    if braces:
        raise ValueError("a template string has no end")
    return "".join(kept).lstrip()


def _next(script: str, place: int, before: str) -> tuple[str, str]:
    found = _TOKEN.match(script, place)
    if found is None or found.lastgroup is None:  # the last alternative takes any character
        raise ValueError("this is no script")
    kind, token = found.lastgroup, found[0]
    if kind == "other" and token in {'"', "'"}:
        raise ValueError("a string has no end")
    if token == "/":
        if script.startswith("/*", place):
            raise ValueError("a comment has no end")
        if _may_begin(before) and (regex := _REGEX.match(script, place)):
            return "regex", regex[0]
    return kind, token


def _may_begin(before: str) -> bool:
    """Whether an expression may begin after this token: then a slash is no division."""
    if not before or _BEFORE_REGEX.search(before):
        return True
    last = before[-1]
    if before.endswith(("++", "--")) or (last == "/" and len(before) > 1):
        return False
    return not (last.isalnum() or last in "_$)]}.\"'`")


def _gap(kept: list[str], token: str) -> None:
    """Nothing, a space or a line break between two tokens; a break may end a statement, so it is never lost."""
    gap = "\n" if "\n" in token else " "
    if not kept or kept[-1] == "\n":
        return
    if kept[-1] == " ":
        kept.pop()
    kept.append(gap)


def lighten_style(style: str) -> str:
    """The style sheet without comments and indentation; strings stay."""

    def shorter(found: re.Match[str]) -> str:
        if found["string"]:
            return found[0]
        return "\n" if "\n" in found[0] else " "

    return _STYLE.sub(shorter, style).strip() + "\n"
