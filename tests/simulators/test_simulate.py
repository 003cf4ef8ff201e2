"""``warmline simulate`` as a process: what it prints, what it refuses, and that it serves and stops."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
from tests.simulators.receiver import receiving, stranger
from tests.support.command import fork

from warmline.simulators.registry import SIMULATORS


def test_it_lists_the_simulators(tmp_path: Path) -> None:
    done = fork("simulate", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "dixa" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody"], f"warmline: There is no simulator called 'nobody'. There are: {', '.join(SIMULATORS)}.\n"),
        (["dixa", "--port", "70000"], "warmline: A port is a number up to 65535.\n"),
        (["dixa", "--webhook-url", "x"], "warmline: The webhook's address begins with http:// or https://.\n"),
    ],
)
def test_it_refuses_with_a_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = fork("simulate", *arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, sentence)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fork("simulate", "dixa", "--port", str(port), folder=tmp_path)
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in done.stderr


async def test_it_prints_what_to_enter_serves_and_stops(tmp_path: Path) -> None:
    async with receiving() as hook:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "warmline", "simulate", "dixa", "--port", "0", "--webhook-url", hook.url),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = await process.stdout.readline()
            assert line, printed
            printed += line.decode()
        rows = dict(re.findall(r"^  (\S.*?)  +(\S+)$", printed, re.MULTILINE))
        assert hook.url in printed
        async with stranger(rows["Address of the API"], rows["API token"]) as me:
            subscribed = (await me.good("GET", "/v1/webhooks"))["data"]
            assert [(one["url"], one["secretKey"]) for one in subscribed] == [(hook.url, rows["Webhook secret"])]
            assert rows["Queue Support"] in {queue["id"] for queue in (await me.good("GET", "/v1/queues"))["data"]}
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing is left behind
