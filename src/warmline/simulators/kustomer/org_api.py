"""The key itself, users, queues, work items and files (v1).

Documented: ``/auth/tokens/current`` for any valid key, users and queues, that a second work item of a conversation is the
first one, the statuses of work items, the two steps of an upload with its form, and files that stay where they are
(``externalUrl``, https only).  Assumed: what the description of a key holds; how the latest wait is written; the names of the
form's fields are those of the store that is documented behind it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.multipart import BodyPartReader

from warmline.kernel.clock import Clock
from warmline.simulators.base import Ask, VendorRefusal
from warmline.simulators.kustomer import bodies
from warmline.simulators.kustomer.directory import NOT_FOUND
from warmline.simulators.kustomer.office import Office
from warmline.simulators.kustomer.replies import Rows, data, page
from warmline.simulators.kustomer.state import Attachment, Conversation, fixed_id, object_id

UPLOAD = "/simulator/upload"
DOWNLOAD = "/simulator/attachments/{id}"


class OrgApi:
    """What an organization has besides conversations."""

    def __init__(self, office: Office, clock: Clock, roles: Collection[str]) -> None:
        self._office = office
        self._account = office.account
        self._answers = office.answers
        self._clock = clock
        self._roles = sorted(roles)
        self._strict = office.assumptions.refuse_unknown_fields

    def routes(self) -> Rows:
        """Method, path, operation, handler."""
        return (
            ("GET", "/v1/auth/tokens/current", "tokens.current", self.token),
            ("GET", "/v1/users", "users.list", self.users),
            ("GET", "/v1/users/current", "users.current", self.current_user),
            ("GET", "/v1/users/{id}", "users.get", self.user),
            ("GET", "/v1/routing/queues", "queues.list", self.queues),
            ("GET", "/v1/routing/queues/{id}", "queues.get", self.queue),
            ("GET", "/v1/chat/queues/metrics/{ids}", "queues.metrics", self.metrics),
            ("POST", "/v1/routing/work-items", "work_items.create", self.create_work_item),
            ("GET", "/v1/routing/conversations/{id}/work-items", "work_items.list", self.work_items),
            ("POST", "/v1/attachments", "attachments.create", self.create_attachment),
            ("GET", "/v1/attachments/{id}", "attachments.get", self.attachment),
            ("GET", "/v1/attachments/{id}/content", "attachments.content", self.content),
            ("GET", "/v1/messages/{message_id}/attachments", "attachments.of_message", self.of_message),
            ("GET", "/v1/messages/{message_id}/attachments/{id}", "attachments.get", self.attachment),
        )

    async def token(self, _ask: Ask) -> web.Response:
        """The key that asks."""
        attributes = {"name": "Warmline", "roles": self._roles, "org": self._account.org_id}
        return data({"type": "token", "id": fixed_id("token"), "attributes": attributes})

    # ---------------------------------------------------------------------------------------------- users
    async def users(self, ask: Ask) -> web.Response:
        """All members."""
        return page(ask, [self._answers.user(one) for one in (*self._account.agents, self._account.bot)])

    async def current_user(self, _ask: Ask) -> web.Response:
        """The key's own user."""
        return data(self._answers.user(self._account.bot))

    async def user(self, ask: Ask) -> web.Response:
        """One member."""
        found = self._account.user(ask.path["id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such user")
        return data(self._answers.user(found))

    # ------------------------------------------------------------------------------------------- routing
    async def queues(self, ask: Ask) -> web.Response:
        """All queues."""
        return page(ask, [self._answers.queue(one) for one in self._account.queues])

    async def queue(self, ask: Ask) -> web.Response:
        """One queue."""
        found = self._account.queue(ask.path["id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such queue")
        return data(self._answers.queue(found))

    async def metrics(self, ask: Ask) -> web.Response:
        """The latest wait in each of the queues, in seconds; null where nobody was taken lately."""
        found = [self._account.queue(one) for one in ask.path["ids"].split(",")]
        return page(
            ask,
            [
                {"type": "queue_metric", "id": one.id, "attributes": {"latestWaitTime": self._latest_wait(one.id)}}
                for one in found
                if one is not None
            ],
        )

    def _latest_wait(self, queue_id: str) -> int | None:
        taken = [
            (item.accepted_at, item.accepted_at - item.queued_at)
            for conversation in self._account.conversations.values()
            for item in conversation.work_items
            if item.queue_id == queue_id and item.accepted_at is not None and item.queued_at is not None
        ]
        return max(taken)[1] // 1000 if taken else None

    async def create_work_item(self, ask: Ask) -> web.Response:
        """The conversation needs an agent; an item that is not completed is answered again."""
        given = bodies.read(ask.body, bodies.NewWorkItem, strict=self._strict)
        conversation = self._office.conversation(_id(given.resource))
        queue_id = _id(given.queue) if given.queue else ""
        queue = self._office.queue(queue_id) if queue_id else self._account.queue(conversation.queue_id)
        open_item = next((one for one in conversation.work_items if one.status != "completed"), None)
        if open_item is None:
            self._office.put_into_queue(conversation, queue or self._office.default_queue(), transfer=False)
        status = 201 if open_item is None else 200
        return data(self._answers.work_item(conversation.work_items[-1], conversation), status)

    async def work_items(self, ask: Ask) -> web.Response:
        """What routing did with a conversation."""
        one: Conversation = self._office.conversation(ask.path["id"])
        return page(ask, [self._answers.work_item(item, one) for item in one.work_items])

    # ---------------------------------------------------------------------------------------------- files
    async def create_attachment(self, ask: Ask) -> web.Response:
        """A file to come, with the form to send it by; or one that stays where it is."""
        given = bodies.read(ask.body, bodies.NewAttachment, strict=self._strict)
        if given.render_mode and not given.external_url:
            raise VendorRefusal(400, bodies.INVALID, note="renderMode goes with externalUrl only")
        url = given.external_url or ""
        if url and (urlsplit(url).scheme != "https" or "@" in urlsplit(url).netloc):
            raise VendorRefusal(400, bodies.INVALID, note="externalUrl is https, without credentials")
        made = Attachment(
            id=object_id(self._clock.now()),
            name=given.name,
            content_type=given.content_type,
            length=given.content_length,
            url=url,
            policy=secrets.token_hex(16),
        )
        self._account.attachments[made.id] = made
        answer = self._answers.attachment(made)
        return data(answer, 201) if url else data(answer, 201, meta={"upload": self._form(made)})

    def _form(self, one: Attachment) -> dict[str, Any]:
        return {
            "url": f"{self._answers.base_url}{UPLOAD}",
            "fields": {
                "key": f"{self._account.org_id}/{one.id}",
                "acl": "private",
                "Content-Type": one.content_type,
                "X-Amz-Meta-Attachment-Id": one.id,
                "bucket": "kustomer-simulated",
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": "simulated",
                "X-Amz-Date": "20261121T000000Z",
                "Policy": "c2ltdWxhdGVk",
                "X-Amz-Signature": one.policy,
            },
        }

    def _attachment(self, ask: Ask) -> Attachment:
        found = self._account.attachments.get(ask.path["id"])
        if found is None or ask.path.get("message_id", found.message_id) != found.message_id:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such attachment")
        return found

    async def attachment(self, ask: Ask) -> web.Response:
        """One file's description."""
        return data(self._answers.attachment(self._attachment(ask)))

    async def content(self, ask: Ask) -> web.Response:
        """The file itself, with the key (``Assumptions.attachment_links``)."""
        return _file(self._attachment(ask))

    async def of_message(self, ask: Ask) -> web.Response:
        """A message's files."""
        found = self._account.message(ask.path["message_id"])
        if found is None:
            raise VendorRefusal(404, NOT_FOUND, note="there is no such message")
        return page(ask, [self._answers.attachment(self._account.attachments[one]) for one in found[1].attachments])

    # -------------------------------------------------------------------------- the store, not Kustomer
    async def upload(self, request: web.Request) -> web.Response:
        """The form with the file as its last part: 204.  No key is asked for; the fields are the permission."""
        fields: dict[str, str] = {}
        reader = await request.multipart()
        async for part in reader:
            if not isinstance(part, BodyPartReader):
                return web.Response(status=400)
            if part.name == "file":
                return self._keep(fields, bytes(await part.read()))
            fields[part.name or ""] = await part.text()
        return web.Response(status=400, text="The form has no file.")

    def _keep(self, fields: Mapping[str, str], content: bytes) -> web.Response:
        one = self._account.attachments.get(fields.get("X-Amz-Meta-Attachment-Id", ""))
        if one is None or {**self._form(one)["fields"]} != dict(fields):
            return web.Response(status=403, text="The fields do not fit the policy, or stand behind the file.")
        if len(content) != one.length:
            return web.Response(status=400, text=f"The policy is for {one.length} bytes.")
        one.content = content
        return web.Response(status=204)

    async def download(self, request: web.Request) -> web.Response:
        """A file by its signed address."""
        one = self._account.attachments.get(request.match_info["id"])
        if one is None or request.query.get("X-Amz-Signature") != one.policy:
            return web.Response(status=403)
        return _file(one)


def _file(one: Attachment) -> web.Response:
    if one.content is None:
        return web.Response(status=404)
    return web.Response(body=one.content, headers={"Content-Type": one.content_type})


def _id(given: str | dict[str, Any]) -> str:
    return given if isinstance(given, str) else str(given.get("id", ""))
