"""Cases: what people really write."""

from __future__ import annotations

import re

from warmline.conformance.case import Topic, Tried, case, until
from warmline.handover.port import Grade

EMOJI = "Grüße 😀 👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301"
RTL = "שלום, איפה המנורה שלי? \u200fمرحبا 123"
_LONG = " ".join(f"word{number}" for number in range(1_400))[:9_990] + " 😀 end"
_HTML = (
    '<p>Hello <b>you</b> &amp; yours</p><script>alert(1)</script><img src=x onerror="alert(2)">'
    '<ul><li>one</li><li>two</li></ul><a href="javascript:alert(3)">press</a>'
    ' <a href="https://shop.example/lamp">the lamp</a>'
)


@case(Topic.CONTENT, Grade.BRONZE, "Emoji, combining letters and right-to-left text pass both ways unharmed")
async def every_script(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    for text in (EMOJI, RTL):
        await tried.stand.say(conversation, text)
        await tried.rig.says(talk, text)
    await tried.heard(talk, EMOJI, RTL)
    await tried.agents_said(conversation, EMOJI, RTL)


@case(Topic.CONTENT, Grade.BRONZE, "10,000 characters arrive whole and in order, in pieces the vendor takes")
async def long_text(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    await tried.stand.say(conversation, _LONG)
    await tried.stand.say(conversation, "and now short")
    await until(
        lambda: bool(tried.rig.heard(talk)) and tried.rig.heard(talk)[-1] == "and now short", "all of it is there"
    )
    *pieces, _short = tried.rig.heard(talk)
    assert _words(" ".join(pieces)) == _words(_LONG), "the pieces are not the whole"
    limit = tried.manifest.text_limit
    longest = max(len(piece) for piece in pieces)
    assert limit is None or longest <= limit, f"a piece has {longest} characters, the vendor takes {limit}"


@case(Topic.CONTENT, Grade.BRONZE, "A long answer of the agent is shown whole")
async def long_answer(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    answer = _LONG[:3_500]
    await tried.rig.says(talk, answer)
    said = await tried.stand.until_said(conversation, "agent", lambda said: "word300" in " ".join(said))
    assert _words(said[-1]) == _words(answer)


@case(Topic.CONTENT, Grade.BRONZE, "Markup of an agent becomes text: words, lists and targets stay, scripts go")
async def markup(tried: Tried) -> None:
    conversation, talk = await tried.talks()
    await tried.rig.says(talk, _HTML, html=True)
    await tried.stand.until_said(conversation, "agent", lambda said: any("the lamp" in line for line in said))
    (line,) = [line for line in await tried.stand.lines(conversation, "agent") if "the lamp" in line]
    for gone in ("<p>", "<b>", "<script", "onerror", "javascript:", "&amp;"):
        assert gone not in line, f"{gone} is still there: {line}"
    for kept in ("Hello you & yours", "one", "two", "https://shop.example/lamp"):
        assert kept in line, f"{kept} is missing: {line}"


def _words(text: str) -> list[str]:
    return re.findall(r"\S+", text)
