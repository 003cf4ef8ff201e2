"""The guide's commands work as they stand, and its tables are complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.support.node import staged
from tests.support.pair import StorePair
from tests.web.api.asking import Client, client, connect, new_key

from warmline.accounts.access import KEY_SCOPES
from warmline.web.api.door import KEY_LENGTH, RATE_BURST, RATE_PER_S
from warmline.web.api.values import MAX_PAGE

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Every curl command of the guide, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


async def run(api: Client, words: list[str], variables: dict[str, str]) -> int:
    """Send what curl would send; the status."""
    method, headers, body, url = "GET", {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        else:
            url = word
    for name, value in variables.items():
        url = url.replace(f"${name}", value)
        headers = {key: text.replace(f"${name}", value) for key, text in headers.items()}
    assert "$" not in url, url
    async with api.stage.http.request(method, url, headers=headers, data=body) as reply:
        return reply.status


async def test_every_command_succeeds(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        conversation = await stage.visit()
        await connect(stage, conversation)
        variables = {"BASE": stage.base, "KEY": stage.v1_key, "CONVERSATION": conversation, "REPEAT": new_key()}
        assert len(commands()) >= 9
        for words in commands():
            assert await run(client(stage), words, variables) in {200, 201}, words


def test_its_numbers_and_scopes_are_those_of_the_program() -> None:
    for scope in KEY_SCOPES:
        assert f"`{scope}`" in GUIDE
    assert f"`limit` is 1 to {MAX_PAGE}" in GUIDE
    assert f"1 to {KEY_LENGTH} printable" in GUIDE
    assert f"{RATE_PER_S} requests a second, and {RATE_BURST} at once" in GUIDE


async def test_the_example_of_a_problem_is_one(sqlite_pair: StorePair) -> None:
    async with staged(sqlite_pair) as stage:
        conversation = await stage.visit()
        answer = await client(stage).ask("POST", f"/conversations/{conversation}/notes", {"text": ""})
        lines = re.search(r"```json\n(.*?)```", GUIDE, re.DOTALL)
        assert lines is not None
        assert re.sub(r"\s+", "", lines[1]) == re.sub(r"\s+", "", str(answer.body).replace("'", '"')), answer.body
