"""Agents' HTML as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.desks.shared.plain_text import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Hello", "Hello"),
        ("a &lt;b&gt; &amp; c&nbsp;d", "a <b> & c d"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div>\n<div>two</div>", "one\n\ntwo"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<ol><li>a</li><li>b</li></ol>after", "1. a\n2. b\n\nafter"),
        ('see <a href="https://shop.example/x">this</a>.', "see this (https://shop.example/x)."),
        ('<a href="https://shop.example/">https://shop.example</a>', "https://shop.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="javascript:alert(1)">press</a>', "press"),
        ("<script>alert(1)</script>hi<style>p{}</style>", "hi"),
        ("<img src=x onerror=alert(1) alt='A lamp'>", "A lamp"),
        ("<!-- secret -->hi", "hi"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\n\nc"),
        ("<b>bold</b> <i>it</i>", "bold it"),
        ("  much \n space  ", "much space"),
        ("😀 <p>שלום</p>", "😀\n\nשלום"),
        ("<p>unclosed <b>everything", "unclosed everything"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
    ],
)
def test_words_stay_and_markup_goes(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text(max_size=200))
def test_anything_can_be_read(html: str) -> None:
    said = plain_text(html)
    assert said == said.strip()
    assert "\n\n\n" not in said


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<a href='x'>", "</a>", "<li>", "</ol>", "<ol>", "<script>", "x", "&", "<"])
    )
)
def test_broken_markup_breaks_nothing(pieces: list[str]) -> None:
    assert "<p>" not in plain_text("".join(pieces))
