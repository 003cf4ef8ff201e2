"""A client of ``/api/v1`` for the tests of this folder."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from tests.support.node import Stage

from warmline.accounts.access import SYSTEM


@dataclass
class Answer:
    """One answer: status, JSON (None for an empty body), headers in lower case."""

    status: int
    body: Any
    headers: dict[str, str]

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem, which must be well-formed and of that status and code."""
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = self.body
        assert (self.status, found["status"], found["code"]) == (status, status, code), self
        assert found["type"] == f"urn:warmline:problem:{code}"
        assert found["title"]
        assert found["detail"]
        return found


@dataclass
class Client:
    """Asks with one key."""

    stage: Stage
    key: str

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        repeat: str | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request; ``headers`` replace the key's, ``repeat`` is the Idempotency-Key, ``raw`` the exact body."""
        sent = {"Authorization": f"Bearer {self.key}"} if headers is None else dict(headers)
        if repeat is not None:
            sent["Idempotency-Key"] = repeat
        content: dict[str, Any] = {"json": body} if raw is None else {"data": raw}
        if body is None and raw is None:
            content = {}
        url = f"{self.stage.base}/api/v1{path}"
        async with self.stage.http.request(method, url, headers=sent, **content) as reply:
            text = await reply.read()
            answer = await reply.json(content_type=None) if text else None
            return Answer(reply.status, answer, {name.lower(): value for name, value in reply.headers.items()})

    async def get(self, path: str) -> Any:
        """The JSON of a GET that succeeds."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.body

    async def post(self, path: str, body: Any = None, *, repeat: str | None = None) -> Any:
        """The JSON of a POST that succeeds."""
        answer = await self.ask("POST", path, body, repeat=repeat)
        assert answer.status in {200, 201}, answer
        return answer.body


def client(stage: Stage) -> Client:
    """With the key that may do everything."""
    return Client(stage, stage.v1_key)


async def client_with(stage: Stage, *scopes: str) -> Client:
    """With a new key of these scopes."""
    new = await stage.node.api_keys.create(SYSTEM, kind="v1", label="narrow", scopes=scopes)
    return Client(stage, new.token)


async def connect(stage: Stage, conversation: str, agent: str = "Ada") -> None:
    """Bring a conversation to an agent of the custom CRM."""
    await client(stage).post(f"/conversations/{conversation}/handover")
    await stage.crm.until(conversation, "widgetEscalate")
    await stage.until_stage(conversation, "offered")
    status, answer = await stage.report(conversation, "escalationSuccess", agent=agent)
    assert status == 200, answer


def new_key() -> str:
    """An idempotency key nobody has used."""
    return uuid.uuid4().hex
