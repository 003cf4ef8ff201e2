"""How the requests of a chat are numbered: by both sides alike, whatever happens to an answer."""

from __future__ import annotations

import pytest

from warmline.desks.salesforce.legacy.chat import TYPING, Chat, Line
from warmline.desks.salesforce.legacy.client import AffinityLost, Keys, OutOfStep, SessionOver
from warmline.handover.port import Refused, Unreachable


class Server:
    """Counts as the guide says: takes the next number, drops one it has, refuses any other."""

    def __init__(self) -> None:
        self.last = 0
        self.has: list[str] = []
        self.lose: str = ""
        self.moved = False
        self.tells_repetitions = False

    def sender(self, text: str) -> SendTo:
        return SendTo(self, text)


class SendTo:
    def __init__(self, server: Server, text: str) -> None:
        self.server, self.text = server, text

    async def __call__(self, keys: Keys, number: int) -> None:
        server = self.server
        lost, server.lose = server.lose, ""
        if server.moved:
            raise AffinityLost("moved")
        if lost == "request":
            raise Unreachable("lost on the way there")
        if number == server.last + 1:
            server.last = number
            server.has.append(self.text)
        elif number != server.last or server.tells_repetitions:
            raise OutOfStep("out of step", last=server.last)
        if lost == "answer":
            raise Unreachable("lost on the way back")


async def send(chat: Chat, server: Server, text: str) -> None:
    await chat.post(text, server.sender(text), operation="send")


def begun() -> tuple[Chat, Server]:
    return Chat("key", "affinity", last=0), Server()


async def test_numbers_go_up_by_one() -> None:
    chat, server = begun()
    for text in ("a", "b", "c"):
        await send(chat, server, text)
    assert (server.has, server.last) == (["a", "b", "c"], 3)


@pytest.mark.parametrize("tells_repetitions", [False, True])
@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_what_is_repeated_keeps_its_number(lost: str, tells_repetitions: bool) -> None:
    chat, server = begun()
    await send(chat, server, "a")
    server.lose, server.tells_repetitions = lost, tells_repetitions
    with pytest.raises(Unreachable):
        await send(chat, server, "b")
    await send(chat, server, "b")
    await send(chat, server, "c")
    assert server.has == ["a", "b", "c"]


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_something_else_after_an_unanswered_line_is_never_taken_for_its_repetition(lost: str) -> None:
    chat, server = begun()
    server.lose = lost
    with pytest.raises(Unreachable):
        await send(chat, server, "a")
    await chat.post(TYPING, server.sender("typing"), operation="send")
    assert "typing" not in server.has
    await send(chat, server, "end")
    assert server.has == (["a", "end"] if lost == "answer" else ["end"])


async def test_a_process_that_does_not_know_the_number_finds_it() -> None:
    chat, server = begun()
    await send(chat, server, "a")
    await send(chat, server, "b")
    other = Chat("key", "affinity", last=None)
    await send(other, server, "c")
    await send(other, server, "d")
    assert (server.has, server.last) == (["a", "b", "c", "d"], 4)


async def test_a_refused_line_does_not_block_the_next_one() -> None:
    chat, server = begun()

    async def refuse(_keys: Keys, _number: int) -> None:
        raise Refused("bad")

    with pytest.raises(Refused):
        await chat.post("a", refuse, operation="send")
    await send(chat, server, "b")
    assert server.has == ["b"]


async def test_a_session_that_is_over_stays_over() -> None:
    chat, _server = begun()

    async def gone(_keys: Keys, _number: int) -> None:
        raise SessionOver("403")

    with pytest.raises(SessionOver):
        await chat.post("a", gone, operation="send")


async def test_nothing_is_sent_between_two_servers_and_numbers_begin_again_on_the_second() -> None:
    chat, server = begun()
    await send(chat, server, "a")
    server.moved = True
    with pytest.raises(AffinityLost):
        await send(chat, server, "b")
    server.moved, server.last = False, 0
    with pytest.raises(AffinityLost):
        await send(chat, server, "b")
    chat.reconnected("other")
    with pytest.raises(AffinityLost):
        await send(chat, server, "b")
    chat.resume((Line(type="Chasitor", content="a", timestamp=5),))
    await send(chat, server, "b")
    assert chat.keys == Keys("key", "other")
    assert (server.has, server.last) == (["a", "b"], 1)


async def test_a_server_that_never_agrees_is_asked_again_later() -> None:
    chat, _server = begun()

    async def never(_keys: Keys, number: int) -> None:
        raise OutOfStep("409", last=number + 7)

    with pytest.raises(Unreachable):
        await chat.post("a", never, operation="send")


def test_the_key_of_a_session_is_not_shown() -> None:
    assert "secret" not in repr(Keys("secret", "token"))
