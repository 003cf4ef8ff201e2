"""A small helpdesk that takes handovers by the open protocol and nothing else: see README.md and docs/protocol.md."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hmac
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web

# What each of our reports makes of the attempt in our list.
STATES = {"queue": "queued", "accept": "connected", "decline": "failed", "pass": "ended", "release": "ended"}
OPTIONS = {"report-to": "", "own-secret": "", "their-secret": "", "port": "8091"}


class Desk:
    """The attempts that were offered, and the way back to whoever offered them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.report_to: str = options.report_to
        self.own_key, self.their_key = key_of(options.own_secret), key_of(options.their_secret)
        self.attempts: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()
        self.looked_at = 0.0
        self.locks: dict[str, asyncio.Lock] = {}

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        """One HTTP session for as long as the program runs."""
        async with ClientSession(timeout=ClientTimeout(total=10)) as self.session:
            yield

    async def events(self, request: web.Request) -> web.Response:
        """Every event arrives here.  Verify, take each id once, answer at once."""
        body = await request.read()
        if not is_signed(self.their_key, request.headers, body):
            return web.json_response({"detail": "the signature is not valid"}, status=401)
        event = json.loads(body)
        if event["type"] == "availability.asked":
            return web.json_response({"available": time.monotonic() - self.looked_at < 10})
        if event["id"] not in self.seen and "attempt_id" in event:
            self.seen.add(event["id"])
            self.take(event)
        return web.json_response({})

    def take(self, event: dict[str, Any]) -> None:
        """What an event changes.  Types that we do not know change nothing."""
        ref = event["attempt_id"]
        attempt = self.attempts.setdefault(ref, {"id": ref, "state": "offered", "typing": False, "lines": []})
        match event["type"]:
            case "handover.offered":
                about = {"name": event["visitor"].get("name"), "page": event["page"].get("url")}
                attempt |= about | {"details": event["details"], "lines": event["transcript"] + attempt["lines"]}
            case "message.posted":
                attempt["lines"].append(event)
                attempt["lines"].sort(key=lambda line: line.get("seq", 0))
            case "note.posted":
                attempt["lines"].append({"author": "note", "text": event["text"], "seq": event["seq"]})
            case "typing":
                attempt["typing"] = event["on"]
            case "handover.released":
                attempt |= {"state": "ended", "reason": event["reason"]}

    async def act(self, request: web.Request) -> web.Response:
        """The agent's page makes a report; it is signed and passed on."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return web.json_response({"detail": "only our own page may do this"}, status=403)
        report = await request.json()
        attempt = self.attempts.get(report.get("attempt_id"))
        if attempt is None:
            return web.json_response({"detail": "no such attempt"}, status=404)
        report["id"] = str(uuid.uuid4())  # the same for every try
        # One at a time: the visitor reads the agent's lines in the order they were written.
        async with self.locks.setdefault(attempt["id"], asyncio.Lock()):
            status, answer = await self.send(report)
        if status == 200:
            to_people = report["type"] == "pass" and report["to"] == "people"
            attempt["state"] = "transferring" if to_people else STATES.get(report["type"], attempt["state"])
            if report["type"] == "message":
                seq = max((line.get("seq", 0) for line in attempt["lines"]), default=0)
                attempt["lines"].append({"author": "agent", "text": report.get("text", ""), "seq": seq})
        return web.json_response({"detail": answer}, status=status)

    async def send(self, report: dict[str, Any]) -> tuple[int, str]:
        """POST a report; trouble is tried again, which its id makes safe."""
        body, status, answer = json.dumps(report).encode(), 502, "nobody answers"
        for pause in (0.0, 0.2, 1.0, 3.0):
            await asyncio.sleep(pause)
            stamp = str(int(time.time()))
            headers = {"webhook-id": report["id"], "webhook-timestamp": stamp, "Content-Type": "application/json"}
            headers["webhook-signature"] = signature(self.own_key, report["id"], stamp, body)
            with contextlib.suppress(ClientError, TimeoutError):
                async with self.session.post(self.report_to, data=body, headers=headers) as reply:
                    status, answer = reply.status, await reply.text()
                if status < 500 and status != 429:
                    break
        return status, answer

    async def page(self, _request: web.Request) -> web.FileResponse:
        """The page of the pretend agent."""
        return web.FileResponse(Path(__file__).with_name("index.html"))

    async def list(self, _request: web.Request) -> web.Response:
        """All attempts, the newest first; whoever looks is there to answer."""
        self.looked_at = time.monotonic()
        return web.json_response(list(reversed(self.attempts.values())))


def key_of(secret: str) -> bytes:
    """The key in a ``whsec_`` secret."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def signature(key: bytes, event_id: str, stamp: str, body: bytes) -> str:
    """Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body``."""
    return "v1," + base64.b64encode(hmac.digest(key, f"{event_id}.{stamp}.".encode() + body, "sha256")).decode()


def is_signed(key: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures is made with this key, not more than five minutes ago."""
    event_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > 300:
        return False
    expected = signature(key, event_id, stamp, body)
    return any(hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split(" "))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for option, default in OPTIONS.items():
        variable = "DESK_" + option.upper().replace("-", "_")
        parser.add_argument(f"--{option}", default=os.environ.get(variable, default), help=f"or {variable} [{default}]")
    desk = Desk(options := parser.parse_args())
    app = web.Application(client_max_size=1 << 20)
    app.cleanup_ctx.append(desk.lifetime)
    app.add_routes([web.get("/", desk.page), web.get("/attempts", desk.list)])
    app.add_routes([web.post("/act", desk.act), web.post("/events", desk.events)])
    web.run_app(app, host="127.0.0.1", port=int(options.port), shutdown_timeout=1, access_log=None)
