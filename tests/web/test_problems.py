"""Bodies, typed JSON and problems over raw ASGI."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from warmline.kernel.errors import Conflict, Invalid, RateLimited, TooLarge, Unauthorized
from warmline.web.problems import check_depth, decode, problem_headers, problem_of, read_body, send_problem


class Inner(Struct):
    kind: Literal["a", "b"]


class Body(Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=5)]
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    inner: list[Inner] = []
    code: Annotated[str, Meta(pattern="^[a-f]+$")] = "a"
    both: int | str = 1


DECODER = msgspec.json.Decoder(Body)


@pytest.mark.parametrize(
    ("raw", "path", "sentence"),
    [
        ("{}", "$.text", "The field `text` is missing."),
        ('{"text":7}', "$.text", "Expected text, but got a whole number."),
        ('{"text":null}', "$.text", "Expected text, but got null."),
        ('{"text":""}', "$.text", "This must not be empty."),
        ('{"text":"123456"}', "$.text", "This must have at most 5 characters."),
        ('{"text":"x","count":0}', "$.count", "This must be at least 1."),
        ('{"text":"x","count":10}', "$.count", "This must be at most 9."),
        ('{"text":"x","inner":[{"kind":"a"},{}]}', "$.inner[1].kind", "The field `kind` is missing."),
        ('{"text":"x","inner":[{"kind":"z"}]}', "$.inner[0].kind", "The value “z” is not one of the allowed ones."),
        ('{"text":"x","code":"zz"}', "$.code", "This does not have the expected form."),
        ('{"text":"x","both":[]}', "$.both", "Expected a whole number or text, but got a list."),
        ('{"text":"x","more":1}', "$.more", "The field `more` is not known here."),
        ("[]", "$", "Expected an object, but got a list."),
    ],
)
def test_a_fault_has_a_path_and_a_sentence(raw: str, path: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode(DECODER, raw.encode())
    assert refused.value.fields["path"] == path
    assert refused.value.detail == sentence


@pytest.mark.parametrize("raw", [b"", b"{", b"{'text':1}", b"\xff\xfe", b'{"text":"\xff"}', b'{"text":"a"} x'])
def test_malformed_json_is_told_apart(raw: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        decode(DECODER, raw)
    assert refused.value.code == "malformed_json"


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 65 + b"]" * 65,
        b'["' + b"]" * 70 + b'",' + b"[" * 64,
        b'"\\"' + b"[" * 5 + b'"' + b"[" * 65,
    ],
)
def test_a_nested_bomb_is_refused_before_it_is_decoded(raw: bytes) -> None:
    with pytest.raises(Invalid):
        check_depth(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 64 + b"]" * 64,
        b"[]," * 1000,
        b'"' + b"[" * 1000 + b'"',
        b'{"a":"' + b'{\\"' * 500 + b'"}',
        b'"' + b"[" * 99,
    ],
)
def test_flat_json_and_brackets_in_texts_are_not_deep(raw: bytes) -> None:
    check_depth(raw)


class Parts:
    """An ASGI receive that gives the parts one by one."""

    def __init__(self, *parts: bytes, gone: bool = False) -> None:
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": gone or index < len(parts) - 1}
            for index, part in enumerate(parts)
        ]
        if gone:
            self.messages.append({"type": "http.disconnect"})

    async def __call__(self) -> MutableMapping[str, Any]:
        return self.messages.pop(0)


async def test_a_body_is_read_whole_and_capped() -> None:
    assert await read_body(Parts(b"abc"), 3) == b"abc"
    assert await read_body(Parts(b"ab", b"", b"c"), 3) == b"abc"
    for parts in (Parts(b"abcd"), Parts(b"ab", b"cd"), Parts(b"abcd", b"e" * 10_000)):
        with pytest.raises(TooLarge):
            await read_body(parts, 3)


async def test_half_a_body_is_no_body() -> None:
    with pytest.raises(Invalid):
        await read_body(Parts(b"ab", gone=True), 3)


def test_problem_of_an_error() -> None:
    assert problem_of(Conflict("It is over.", code="closed", seq=7)) == {
        "type": "urn:warmline:problem:closed",
        "title": "Not possible in the current state",
        "status": 409,
        "detail": "It is over.",
        "code": "closed",
        "seq": 7,
    }


def test_headers_that_errors_bring() -> None:
    assert problem_headers(RateLimited(retry_after=0.2)) == [(b"retry-after", b"1")]
    assert problem_headers(RateLimited(retry_after=1.2)) == [(b"retry-after", b"2")]
    assert problem_headers(Unauthorized()) == [(b"www-authenticate", b"Bearer")]
    assert problem_headers(Conflict()) == []


async def test_a_problem_on_the_wire() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await send_problem(send, Invalid("Bad.", path="$.a"))
    assert sent[0]["status"] == 400
    headers = dict(sent[0]["headers"])
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"content-length"] == str(len(sent[1]["body"])).encode()
    assert msgspec.json.decode(sent[1]["body"])["path"] == "$.a"
