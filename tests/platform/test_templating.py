from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.platform.templating import TemplateInvalid, Unknown, fill, fill_json, placeholders

VALUES: dict[str, Any] = {"name": "Ada", "order": {"number": 7, "open": True, "note": None}, "tags": ["a", "b"]}


def test_names_and_dotted_names_are_filled() -> None:
    assert fill("Hi {{name}}, order {{ order.number }}!", VALUES) == "Hi Ada, order 7!"


def test_values_that_are_no_text_appear_as_json() -> None:
    assert fill("{{order.open}} {{tags}} [{{order.note}}]", VALUES) == 'true ["a","b"] []'


def test_unknown_names_are_all_listed() -> None:
    with pytest.raises(TemplateInvalid) as caught:
        fill("{{nmae}} {{name}} {{order.sum}} {{nmae}}", VALUES)
    assert caught.value.names == ["nmae", "order.sum"]
    assert "nmae, order.sum" in caught.value.detail


def test_unknown_names_may_be_empty_instead() -> None:
    assert fill("<{{nmae}}>", VALUES, unknown=Unknown.EMPTY) == "<>"


@pytest.mark.parametrize(
    "name", ["name.__class__", "__class__", "order.items", "tags.0", "tags.append", "order.get", "name.0"]
)
def test_only_members_of_plain_dicts_are_found(name: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        fill("{{" + name + "}}", VALUES)
    assert caught.value.names == [name]
    assert fill("{{" + name + "}}", VALUES, unknown=Unknown.EMPTY) == ""


def test_objects_are_not_looked_into() -> None:
    class Secret(dict):
        def __getitem__(self, key: str) -> str:
            raise AssertionError(key)

    class Thing:
        token = "t"

    with pytest.raises(TemplateInvalid):
        fill("{{thing.token}}", {"thing": Thing()})
    with pytest.raises(TemplateInvalid):
        fill("{{s.x}}", {"s": Secret()})


@pytest.mark.parametrize(
    "bad", ["{{}}", "{{ }}", "{{a b}}", "{{a|upper}}", "{{a()}}", "{{a.}}", "{{.a}}", "{{a[0]}}", "{{é}}"]
)
@pytest.mark.parametrize("unknown", list(Unknown))
def test_malformed_placeholders_are_always_refused(bad: str, unknown: Unknown) -> None:
    with pytest.raises(TemplateInvalid, match="Not a placeholder"):
        fill(bad, {"a": "x"}, unknown=unknown)


@pytest.mark.parametrize("text", ["{name}", "{{name", "name}}", "{ {name} }", "{% if x %}", "${name}", ""])
def test_anything_else_is_plain_text(text: str) -> None:
    assert fill(text, VALUES) == text


def test_what_was_inserted_is_not_looked_at_again() -> None:
    assert fill("{{a}}", {"a": "{{b}}", "b": "secret"}) == "{{b}}"


def test_placeholders_are_listed_once_in_order() -> None:
    assert placeholders("{{b}} {{a.c}} {{ b }}") == ["b", "a.c"]


def test_json_strings_are_filled_and_single_placeholders_keep_their_type() -> None:
    template = {
        "n": "{{order.number}}",
        "t": "no. {{order.number}}",
        "l": ["{{tags}}", 1, None],
        "{{name}}": "{{order.note}}",
    }
    assert fill_json(template, VALUES) == {"n": 7, "t": "no. 7", "l": [["a", "b"], 1, None], "{{name}}": None}


def test_json_unknown_names_tell_their_path_or_become_null() -> None:
    with pytest.raises(TemplateInvalid) as caught:
        fill_json({"a": [{"b": "x {{nope}}"}]}, VALUES)
    assert caught.value.fields["path"] == "$.a[0].b"
    with pytest.raises(TemplateInvalid) as caught:
        fill_json({"a": "{{no pe}}"}, VALUES, unknown=Unknown.EMPTY)
    assert caught.value.fields["path"] == "$.a"
    assert fill_json(["{{nope}}", "x{{nope}}"], VALUES, unknown=Unknown.EMPTY) == [None, "x"]


def test_a_bottomless_template_is_refused() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    with pytest.raises(TemplateInvalid, match="nested"):
        fill_json(deep, {})


@given(st.text(), st.text())
def test_a_value_cannot_break_out_of_its_place(before: str, value: str) -> None:
    before = before.replace("{", "").replace("}", "")
    assert fill(before + "{{v}}" + before, {"v": value}) == before + value + before
