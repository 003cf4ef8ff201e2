"""A small CRM that takes over chats from Warmline, using nothing but the public contract: see README.md."""

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

# What each of the contract's events makes of the conversation in our list.
STATES = {
    "escalationQueueUpdate": "waiting",
    "escalationSuccess": "connected",
    "escalationFailed": "declined",
    "agentDisconnect": "ended",
}

OPTIONS = {"warmline-url": "http://127.0.0.1:8080", "api-key": "", "bot-id": "", "signing-secret": ""}
OPTIONS |= {"port": "8090", "file": os.devnull}


class Crm:
    """The escalated conversations, the browsers that look at them, and the way back to Warmline."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.url = options.warmline_url.rstrip("/") + "/agent/converse/send-message-to-widget"
        self.headers = {"Authorization": options.api_key, "botid": options.bot_id}
        self.secret: str = options.signing_secret
        self.file = Path(options.file)  # where everything is kept across restarts
        self.file.touch()
        self.conversations: dict[str, dict[str, Any]]
        self.conversations, self.seen = json.loads(self.file.read_text() or "[{}, {}]")
        self.browsers: set[asyncio.Queue[str]] = set()
        self.locks: dict[str, asyncio.Lock] = {}

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        """One HTTP session to Warmline for as long as the program runs."""
        async with ClientSession(timeout=ClientTimeout(total=10)) as self.session:
            yield

    async def webhook(self, request: web.Request) -> web.Response:
        """Every event of Warmline arrives here.  Verify, deduplicate, remember, answer at once."""
        body = await request.read()
        if self.secret and not is_signed(self.secret, request.headers, body):
            return web.json_response({"message": "the signature is not valid"}, status=401)
        try:
            data = json.loads(body)["data"]
            conversation_id, event = str(data["platformConversationId"]), str(data["eventType"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"message": "not an event"}, status=400)
        if event == "isTeamOnline":
            return web.json_response({"isOnline": bool(self.browsers)})
        # Delivery is at least once: a repeated event has the same webhook-id.
        if self.is_new(request.headers.get("webhook-id")):
            if event == "widgetEscalate":
                self.escalated(conversation_id, data)
            elif event == "widgetMessage":
                self.add(conversation_id, "visitor", str(data.get("text", "")))
            elif event == "widgetEndSession":
                self.conversation(conversation_id)["state"] = "ended"
                self.add(conversation_id, "note", "The session was ended on the visitor's side.")
            self.keep()
        return web.json_response({})

    def escalated(self, conversation_id: str, data: dict[str, Any]) -> None:
        """A visitor asks for a person.  The rich profile brings the transcript, the exact one only the id."""
        conversation = self.conversation(conversation_id)
        self.conversations[conversation_id] = self.conversations.pop(conversation_id)  # newest last
        context = data.get("warmline") or {}
        visitor, page = context.get("visitor") or {}, context.get("page") or {}
        conversation |= {"state": "new", "target": data.get("escalateTo"), "name": visitor.get("name")}
        conversation |= {"page": page.get("url"), "lines": context.get("transcript") or conversation["lines"]}

    def is_new(self, webhook_id: str | None) -> bool:
        """Whether this event was not seen before; the last 10,000 are remembered."""
        if webhook_id is None or webhook_id in self.seen:
            return webhook_id is None
        self.seen[webhook_id] = None
        if len(self.seen) > 10_000:
            del self.seen[next(iter(self.seen))]
        return True

    async def act(self, request: web.Request) -> web.Response:
        """The agent's page sends one of the five events of the contract; we pass it on to Warmline."""
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return web.json_response({"message": "only our own page may do this"}, status=403)
        try:
            event = await request.json()
            kind, conversation = event["eventType"], self.conversations[event["platformConversationId"]]
        except (ValueError, KeyError, TypeError):
            return web.json_response({"message": "no such conversation"}, status=404)
        event.setdefault("messageId", str(uuid.uuid4()))  # so that a repetition is stored once
        # One event at a time: the visitor reads the agent's lines in the order they were written.
        async with self.locks.setdefault(conversation["id"], asyncio.Lock()):
            status, answer = await self.send(event)
            if status == 200:
                conversation["state"] = STATES.get(kind, conversation["state"])
                if kind == "message":
                    self.add(conversation["id"], "agent", event["text"])
            else:
                self.add(conversation["id"], "note", f"Not delivered ({status}). {answer}")
        self.keep()
        return web.json_response({"message": answer}, status=status)

    async def send(self, event: dict[str, Any]) -> tuple[int, str]:
        """POST to Warmline; trouble is tried again, which messageId makes safe."""
        status, answer = 502, "Warmline cannot be reached."
        for pause in (0.0, 0.2, 1.0, 3.0):
            await asyncio.sleep(pause)
            with contextlib.suppress(ClientError, TimeoutError):
                async with self.session.post(self.url, json=event, headers=self.headers) as reply:
                    status, answer = reply.status, detail_of(await reply.text())
                if status < 500 and status != 429:
                    break
        return status, answer

    async def page(self, _request: web.Request) -> web.FileResponse:
        """The page of the pretend agent."""
        return web.FileResponse(Path(__file__).with_name("index.html"))

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events for the agent's page: the whole list, and again after every change."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self.browsers.add(queue)
        self.keep()
        try:
            with contextlib.suppress(ConnectionError):
                while True:
                    await response.write(f"data: {await queue.get()}\n\n".encode())
        finally:
            self.browsers.discard(queue)
        return response

    def keep(self) -> None:
        """Write everything down, and tell the browsers: the newest first, and an unread older state is thrown away."""
        self.file.write_text(json.dumps([self.conversations, self.seen]))
        for queue in self.browsers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(json.dumps(list(reversed(self.conversations.values()))))

    def conversation(self, conversation_id: str) -> dict[str, Any]:
        """The conversation with that id, made when it is new."""
        return self.conversations.setdefault(conversation_id, {"id": conversation_id, "state": "new", "lines": []})

    def add(self, conversation_id: str, author: str, text: str) -> None:
        """One more line of the transcript."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.conversation(conversation_id)["lines"].append({"author": author, "text": text, "at": at})


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Standard Webhooks: HMAC-SHA256 over ``id.timestamp.body``; several signatures may stand in the header."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = b"v1," + base64.b64encode(hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, "sha256"))
    return any(hmac.compare_digest(expected, one.encode()) for one in headers.get("webhook-signature", "").split(" "))


def detail_of(text: str) -> str:
    """The sentence of an error answer (RFC 9457); nothing for an answer without one."""
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def main() -> None:
    """Read the options and serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option, default in OPTIONS.items():
        variable = "CRM_" + option.upper().replace("-", "_")
        parser.add_argument(f"--{option}", default=os.environ.get(variable, default), help=f"or {variable} [{default}]")
    options = parser.parse_args()
    crm = Crm(options)
    app = web.Application(client_max_size=1 << 20)
    app.cleanup_ctx.append(crm.lifetime)
    app.add_routes([web.get("/", crm.page), web.get("/live", crm.live)])
    app.add_routes([web.post("/act", crm.act), web.post("/webhook", crm.webhook)])
    web.run_app(app, host="127.0.0.1", port=int(options.port), shutdown_timeout=1, access_log=None)


if __name__ == "__main__":
    main()
