"""Dropping comments and indentation leaves the program alone, whatever looks like a comment in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from warmline.web.widget.lighten import lighten_script, lighten_style


@pytest.mark.parametrize(
    ("script", "light"),
    [
        (
            "// why\nconst a = 1; // here\n/** What.\n * More.\n */\nconst b = a * 2;\n",
            "const a = 1;\nconst b = a * 2;\n",
        ),
        ("a /* one */ + /* two */ b", "a + b"),
        ("return /* no line\n break */ 1", "return\n1"),
        ("a\n\n\n    b", "a\nb"),
        ("if (x) {\n  y();\n}\n", "if (x) {\ny();\n}\n"),
    ],
)
def test_comments_and_indentation_go(script: str, light: str) -> None:
    assert lighten_script(script) == light


@pytest.mark.parametrize(
    "script",
    [
        'const url = "https://a.example//b"; const c = "/* no */ // no";',
        "const quote = 'it\\'s // fine', other = '\\\\';",
        'const both = "\'" + \'"\' + "//";',
        "const address = /https?:\\/\\/[^/*]+/gi;",
        "const odd = /[/\"'`]*\\//.test(x), more = /\\/*/;",
        "return /['\"]/.exec(text);",
        "const half = width / 2 / 3; const whole = (a) / b / c;",
        "const next = i++ / 2 / x, last = list[0] / n / m;",
        "const share = 4. / n / m, ratio = `1` / n / m;",
        "const found = a / /b'/.exec(c).index;",
        "const text = `// not /* a */ comment\n    and its lines   stay`;",
        "const nested = `a ${b ? `// ${c({ d: '}' })} /*` : { e: `}` }[f]} // g`;",
        "const escaped = `\\` // ${'`'} \\${ /* $ $`;",
        "const words = typeof /'/ , more = [/\"/, /`/];",
        "class A { #secret = 1; get [`//`]() { return this.#secret / 2; } }",
    ],
)
def test_what_only_looks_like_a_comment_stays(script: str) -> None:
    assert lighten_script(script) == script


@pytest.mark.parametrize("script", ["const a = 'open\n;", "const a = `open ${b", "const a = `open", "/* open", 'f("'])
def test_what_cannot_be_read_is_told(script: str) -> None:
    with pytest.raises(ValueError, match="has no end"):
        lighten_script(script)


STRINGS = some.text(some.sampled_from("/*`'\"\\${} \n;a"), max_size=12)


@given(
    some.lists(STRINGS, max_size=6), some.lists(some.sampled_from(["// x'\n", "/* `\n */", "\n  ", " "]), max_size=6)
)
def test_strings_survive_whatever_is_between_them(texts: list[str], gaps: list[str]) -> None:
    quoted = ['"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"' for text in texts]
    quoted += ["`" + text.replace("\\", "\\\\").replace("`", "\\`").replace("$", "\\$") + "`" for text in texts]
    gaps = [*gaps, *[" "] * len(quoted)]
    script = "".join(f"f({one},{gap}1);" for one, gap in zip(quoted, gaps, strict=False))
    light = lighten_script(script)
    place = 0
    for one in quoted:
        place = light.index(f"f({one},", place) + len(one)
    assert light.count("1);") >= len(quoted)
    assert lighten_script(light) == light


@pytest.mark.parametrize(
    ("style", "light"),
    [
        ("/* why */\na {\n  color: red; /* here */\n}\n", "a {\ncolor: red;\n}\n"),
        ('a::before { content: "/* kept */  \\" it is"; }', 'a::before { content: "/* kept */  \\" it is"; }\n'),
        ("a { background: url(https://a.example//b); }", "a { background: url(https://a.example//b); }\n"),
        ("a{}/* one\n two */b{}", "a{}\nb{}\n"),
        ("a /* descendant */b {}", "a b {}\n"),
    ],
)
def test_style_sheets_lose_comments_only(style: str, light: str) -> None:
    assert lighten_style(style) == light
