"""JSON as people type it: what is read over, and that every other mistake is told with line, column and field."""

from __future__ import annotations

import contextlib
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.platform.typed_json import MAX_CHARACTERS, TypedJsonInvalid, parse_typed

PUBLISHED = """{
  "isPost": true,
  // from the set-up page
  "buttonId": "5736g000000k9nQ",
  "prechatDetails": [], /* none
  yet */
  "receiveQueueUpdates": true,
}"""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def test_comments_and_trailing_commas_are_read_over() -> None:
    read = parse_typed(PUBLISHED)
    assert read.value == {
        "isPost": True,
        "buttonId": "5736g000000k9nQ",
        "prechatDetails": [],
        "receiveQueueUpdates": True,
    }
    assert read.places["$"] == (1, 1)
    assert read.places["$.buttonId"] == (4, 15)
    assert parse_typed("\ufeff[1, 2, ]// end").value == [1, 2]


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_all_that_json_writes_is_read_alike(value: object, indent: int | str | None, ascii_only: bool) -> None:
    assert parse_typed(json.dumps(value, indent=indent, ensure_ascii=ascii_only)).value == value


@pytest.mark.parametrize(
    ("text", "path", "place", "word"),
    [
        ("", "$", (1, 1), "value is expected"),
        ('{"a": 1', "$", (1, 1), "not closed"),
        ('{"a": [1, 2', "$.a", (1, 7), "not closed"),
        ('{"a" 1}', "$.a", (1, 6), "colon"),
        ('{\n  "a": 1\n  "b": 2}', "$", (3, 3), "comma"),
        ('{"a": {{email}}}', "$.a", (1, 7), "double quotes"),
        ('{"a": \'x\'}', "$.a", (1, 7), "double quotes"),
        ("{a: 1}", "$", (1, 2), "double quotes"),
        ('{"a": 1, "a": 2}', "$.a", (1, 10), "twice"),
        ('{"a": [1, {"b c": nope}]}', "$.a[1]['b c']", (1, 19), "double quotes"),
        ('{"a": "x\n"}', "$.a", (1, 7), "not closed"),
        ('{"a": "\\x"}', "$.a", (1, 8), "backslash"),
        ('{"a": "\\ud83d"}', "$.a", (1, 7), "half"),
        ('{"a": "\\u0000"}', "$.a", (1, 7), "NUL"),
        ('{"a": 01}', "$.a", (1, 7), "double quotes"),
        ('{"a": NaN}', "$.a", (1, 7), "double quotes"),
        ('{"a": 1} x', "$", (1, 10), "does not belong"),
        ('{"a": 1 /* no end', "$", (1, 9), "no end"),
        ("[,]", "$[0]", (1, 2), "value is expected"),
        ('{"a": 1,, "b": 2}', "$", (1, 9), "field name"),
        ("[" * 40 + "]" * 40, "$" + "[0]" * 33, (1, 34), "deep"),
        ('"' + "x" * MAX_CHARACTERS + '"', "$", (1, 1), "at most"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_every_mistake_has_its_place(text: str, path: str, place: tuple[int, int], word: str) -> None:
    with pytest.raises(TypedJsonInvalid, match=word) as refused:
        parse_typed(text)
    assert (refused.value.line, refused.value.column) == place
    assert refused.value.fields["path"] == path
    assert str(refused.value.detail).startswith(f"Line {place[0]}, column {place[1]}: ")


@given(st.text(st.sampled_from('{}[]",:\\/*\n \tatrue0-9.eE{{}}'), max_size=60))
def test_no_text_makes_it_fail_otherwise(text: str) -> None:
    with contextlib.suppress(TypedJsonInvalid):
        assert "$" in parse_typed(text).places


def test_a_part_that_is_missing_is_told_at_what_is_around_it() -> None:
    with pytest.raises(TypedJsonInvalid, match="Line 4, column 22: missing") as refused:
        parse_typed(PUBLISHED.replace("[]", "[{}]").replace("  // from the set-up page\n", "")).refuse(
            "missing", "$.prechatDetails[0].label"
        )
    assert refused.value.fields["path"] == "$.prechatDetails[0].label"
