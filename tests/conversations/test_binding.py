"""Which message has a file is decided under the stream's lock, from the events alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest

from warmline.conversations import commands as c
from warmline.conversations import events as e
from warmline.conversations.decisions import decide
from warmline.conversations.model import ConversationState, Moment, evolve, initial
from warmline.conversations.views import visitor_item
from warmline.kernel.envelope import Recorded
from warmline.kernel.errors import Conflict, Invalid, WarmlineError


class Now(NamedTuple):
    at: int = 1_000
    actor: str = "test"


def file(number: int) -> e.Attachment:
    return e.Attachment(id=f"f{number}", name=f"{number}.png", media_type="image/png", size=number)


def after(state: ConversationState, *commands: c.Command) -> ConversationState:
    seq = 0
    for command in commands:
        for body in decide(state, command, Now()):
            seq += 1
            state = evolve(state, body, Moment(seq, 1_000, "test"))
    return state


def says(*files: e.Attachment, text: str = "") -> c.VisitorSays:
    return c.VisitorSays(message_id="m", text=text, attachments=files)


BEGUN = after(initial("c"), c.Start(visitor_id="v", bot_id="b" * 24))


def refused(state: ConversationState, command: c.Command) -> WarmlineError:
    with pytest.raises((Invalid, Conflict)) as caught:
        decide(state, command, Now())
    return caught.value


def test_a_message_has_its_files_and_no_other_gets_them() -> None:
    [posted] = decide(BEGUN, says(file(1), file(2), text="Look"), Now())
    assert isinstance(posted, e.MessagePosted)
    assert posted.attachments == (file(1), file(2))
    state = after(BEGUN, says(file(1), file(2)))
    assert state.files == ("f1", "f2")
    error = refused(state, says(file(3), file(2)))
    assert (error.code, error.fields["path"]) == ("file_used", "$.attachments[1]")


def test_whoever_speaks_is_held_to_the_same() -> None:
    rung = e.Rung(connection_id="x", desk="builtin")
    state = after(
        BEGUN,
        says(file(1)),
        c.RequestHandover(handover_id="h", reason="api", by="api", ladder=(rung,)),
        c.AcceptOffer(epoch=2, thread_ref="t"),
        c.DeskSays(connection_id="x", verb="joined", epoch=2),
        c.DeskSays(connection_id="x", verb="replied", epoch=2, attachments=(file(2),)),
        c.PostAs(epoch=2, author="agent", message_id="p", text="", attachments=(file(3),)),
    )
    assert state.files == ("f1", "f2", "f3")
    used: Sequence[c.Command] = (
        says(file(2)),
        c.DeskSays(connection_id="x", verb="replied", epoch=2, attachments=(file(3),)),
        c.PostAs(epoch=2, author="agent", message_id="p", text="", attachments=(file(1),)),
    )
    assert [refused(state, command).code for command in used] == ["file_used"] * 3


def test_there_is_an_end_to_it() -> None:
    assert refused(BEGUN, says(*(file(n) for n in range(c.MAX_FILES + 1)))).code == "too_many_files"
    full = msgspec.structs.replace(BEGUN, files=tuple(f"g{n}" for n in range(c.MAX_FILES_IN_ALL)))
    assert refused(full, says(file(1))).code == "too_many_files"
    assert decide(full, says(text="words still go"), Now())


def test_erasure_forgets_them() -> None:
    state = evolve(after(BEGUN, says(file(1))), e.VisitorErased(by="m"), Moment(9, 1_000, "test"))
    assert state.files == ()


def test_messages_of_before_files_are_read_as_ever() -> None:
    old = msgspec.json.decode(b'{"message_id":"m","author":"visitor","text":"hi"}', type=e.MessagePosted)
    assert (old.attachments, old.gist) == ((), "hi")
    assert b"attachments" not in msgspec.json.encode(old)
    event = Recorded(
        stream_kind="conversation",
        stream_id="c",
        seq=1,
        type=old.TYPE,
        version=1,
        at=0,
        actor="v",
        owner_epoch=1,
        raw=b"",
        body=old,
    )
    assert visitor_item(event)["data"]["attachments"] == []
    assert e.MessagePosted(message_id="m", author="visitor", text="", attachments=(file(1),)).gist == "1.png"
