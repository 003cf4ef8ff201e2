"""Kustomer's resources: ``{type, id, attributes, relationships, links}``.

Documented (v1 reference, and two sampled events): the form, the attributes of customers, conversations, messages, notes
and attachments that stand here, the relationships with their links (a message points at ``customers``, a conversation at
``customer``), and that ``tags``, ``assignedUsers`` and ``assignedTeams`` are ids.  Of chat sessions and chat messages only the
name ``chat_message``, and ``preview`` and ``lastMessageAt`` of a session; of users ``displayName`` and ``avatarUrl``; of work
items ``status``, ``resource`` and ``queuedCount``; the rest of those is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warmline.kernel.clock import to_rfc3339
from warmline.simulators.kustomer.assumptions import Assumptions
from warmline.simulators.kustomer.state import (
    Account,
    Attachment,
    Conversation,
    Customer,
    Message,
    Note,
    Queue,
    Tag,
    User,
    WorkItem,
)


def without_nothing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Kustomer leaves out what is not set."""
    return {name: value for name, value in fields.items() if value is not None}


def moment(at: int | None) -> str | None:
    """A moment, or nothing."""
    return None if at is None else to_rfc3339(at)


class Answers:
    """Writes resources.  ``base_url`` is where files and pictures are."""

    def __init__(self, account: Account, assumptions: Assumptions) -> None:
        self._account = account
        self._assumptions = assumptions
        self.base_url = ""

    # ---------------------------------------------------------------------------------------- pieces
    def _point(self, kind: str, target: str, path: str) -> dict[str, Any]:
        return {"links": {"self": f"/v1/{path}/{target}"}, "data": {"type": kind, "id": target}}

    def _org(self) -> dict[str, Any]:
        return self._point("org", self._account.org_id, "orgs")

    def _by(self, user_id: str) -> dict[str, Any]:
        return self._point("user", user_id, "users")

    # ---------------------------------------------------------------------------------------- people
    def user(self, one: User) -> dict[str, Any]:
        """User."""
        attributes = {
            "name": one.name,
            "displayName": one.name,
            "email": one.email,
            "userType": one.user_type,
            "avatarUrl": f"{self.base_url}/simulator/files/leaf.png" if one.avatar else None,
            "createdAt": to_rfc3339(one.created_at),
        }
        return {
            "type": "user",
            "id": one.id,
            "attributes": without_nothing(attributes),
            "relationships": {"org": self._org()},
            "links": {"self": f"/v1/users/{one.id}"},
        }

    def customer(self, one: Customer) -> dict[str, Any]:
        """Customer."""
        name = one.name or (one.emails[0].value if one.emails else "Unknown")
        attributes = {
            "name": one.name,
            "displayName": name,
            "externalId": one.external_id,
            "externalIds": [{"externalId": one.external_id, "verified": True}] if one.external_id else [],
            "emails": [{"type": each.type, "email": each.value, "verified": each.verified} for each in one.emails],
            "phones": [{"type": each.type, "phone": each.value, "verified": each.verified} for each in one.phones],
            "avatarUrl": one.avatar_url,
            "locale": one.locale,
            "defaultLang": one.lang,
            "tags": list(one.tags),
            "custom": one.custom,
            "conversationCounts": self._counts(one),
            "createdAt": to_rfc3339(one.created_at),
            "updatedAt": to_rfc3339(one.updated_at),
            "modifiedAt": to_rfc3339(one.updated_at),
            "rev": one.rev,
        }
        bot = self._account.bot.id
        return {
            "type": "customer",
            "id": one.id,
            "attributes": without_nothing(attributes),
            "relationships": {
                "org": self._org(),
                "messages": {"links": {"self": f"/v1/customers/{one.id}/messages"}},
                "createdBy": self._by(bot),
                "modifiedBy": self._by(bot),
            },
            "links": {"self": f"/v1/customers/{one.id}"},
        }

    def _counts(self, one: Customer) -> dict[str, int]:
        states = [each.status for each in self._account.of_customer(one.id)]
        return {"all": len(states), **{state: states.count(state) for state in ("snoozed", "open", "done")}}

    # -------------------------------------------------------------------------------- conversations
    def conversation(self, one: Conversation) -> dict[str, Any]:
        """Conversation."""
        return {
            "type": "conversation",
            "id": one.id,
            "attributes": self._conversation_attributes(one),
            "relationships": self._conversation_relationships(one),
            "links": {"self": f"/v1/conversations/{one.id}"},
        }

    def _conversation_attributes(self, one: Conversation) -> dict[str, Any]:
        shown = one.shown
        outbound = [message for message in shown if message.direction == "out"]
        inbound = [message for message in shown if message.direction == "in"]
        return without_nothing(
            {
                "externalId": one.external_id,
                "name": one.name,
                "channels": sorted({message.channel for message in shown}),
                "status": one.status,
                "priority": one.priority,
                "direction": one.direction,
                "messageCount": len(shown),
                "noteCount": len(one.notes),
                "outboundMessageCount": len(outbound),
                "inboundMessageCount": len(inbound),
                "preview": self.preview(shown[-1]) if shown else None,
                "lastMessageAt": moment(shown[-1].sent_at) if shown else None,
                "lastMessageIn": _last(inbound),
                "lastMessageOut": _last(outbound),
                "satisfaction": one.satisfaction,
                "createdAt": to_rfc3339(one.created_at),
                "updatedAt": to_rfc3339(one.updated_at),
                "modifiedAt": to_rfc3339(one.updated_at),
                "lastActivityAt": to_rfc3339(one.updated_at),
                "spam": False,
                "ended": one.ended,
                "endedAt": moment(one.ended_at),
                "endedReason": one.ended_reason,
                "endedBy": one.ended_by,
                "endedByType": one.ended_by_type,
                "tags": list(one.tags),
                "suggestedTags": [],
                "assignedUsers": list(one.assigned_users),
                "assignedTeams": list(one.assigned_teams),
                "custom": one.custom,
                "defaultLang": one.lang,
                "rev": one.rev,
            }
        )

    def _conversation_relationships(self, one: Conversation) -> dict[str, Any]:
        found: dict[str, Any] = {
            "org": self._org(),
            "customer": self._point("customer", one.customer_id, "customers"),
            "messages": {"links": {"self": f"/v1/conversations/{one.id}/messages"}},
            "createdBy": self._by(one.created_by),
            "modifiedBy": self._by(one.modified_by),
        }
        if one.queue_id:
            found["queue"] = self._point("queue", one.queue_id, "routing/queues")
        if one.brand:
            found["brand"] = self._point("brand", one.brand, "brands")
        return found

    def session(self, one: Conversation) -> dict[str, Any]:
        """ChatSession; its id is the conversation's."""
        lines = [message for message in one.messages if message.chat]
        last = max(lines, key=lambda message: message.sent_at, default=None)
        attributes = {
            "active": not one.ended,
            "preview": self.preview(last) if last else None,
            "lastMessageAt": moment(last.sent_at) if last else None,
            "trackingId": one.tracking_id,
            "lang": one.lang,
            "custom": without_nothing({"externalId": one.session_external_id}),
            "endedAt": moment(one.ended_at),
            "createdAt": to_rfc3339(one.created_at),
            "updatedAt": to_rfc3339(one.updated_at),
        }
        relations: dict[str, Any] = {
            "org": self._org(),
            "customer": self._point("customer", one.customer_id, "customers"),
            "conversation": self._point("conversation", one.id, "conversations"),
        }
        if one.brand:
            relations["brand"] = self._point("brand", one.brand, "brands")
        return {
            "type": "chat_session",
            "id": one.id,
            "attributes": without_nothing(attributes),
            "relationships": relations,
            "links": {"self": f"/v2.1/chat/sessions/{one.id}"},
        }

    # ---------------------------------------------------------------------------------------- messages
    def preview(self, one: Message) -> str:
        """The text, cut where Kustomer would."""
        return one.body[: self._assumptions.preview_characters]

    def chat_message(self, one: Message, session: Conversation) -> dict[str, Any]:
        """ChatMessage: the whole text."""
        attributes = {
            "body": one.body,
            "direction": one.direction,
            "status": one.status,
            "auto": one.auto or None,
            "sentAt": to_rfc3339(one.sent_at),
            "createdAt": to_rfc3339(one.created_at),
            "importedAt": moment(one.imported_at) if self._assumptions.import_mark == "importedAt" else None,
        }
        sender = ("customer", "customers") if one.direction == "in" else ("user", "users")
        relations = {
            "org": self._org(),
            "session": self._point("chat_session", session.id, "chat/sessions"),
            "customer": self._point("customer", session.customer_id, "customers"),
            "sentBy": self._point(sender[0], one.author_id, sender[1]),
        }
        if one.attachments:
            relations["attachments"] = {"data": [{"type": "attachment", "id": each} for each in one.attachments]}
        return {
            "type": "chat_message",
            "id": one.chat_id,
            "attributes": without_nothing(attributes),
            "relationships": relations,
            "links": {"self": f"/v2.1/chat/sessions/{session.id}/messages/{one.chat_id}"},
        }

    def message(self, one: Message, conversation: Conversation) -> dict[str, Any]:
        """Message."""
        by = one.author_id if one.direction == "out" else self._account.bot.id
        relations = {
            "org": self._org(),
            "createdBy": self._by(by),
            "modifiedBy": self._by(by),
            "customer": self._point("customers", conversation.customer_id, "customers"),
            "conversation": self._point("conversation", conversation.id, "conversations"),
        }
        if one.attachments:
            relations["attachments"] = {
                "links": {"self": f"/v1/messages/{one.id}/attachments"},
                "data": [{"type": "attachment", "id": each} for each in one.attachments],
            }
        return {
            "type": "message",
            "id": one.id,
            "attributes": self._message_attributes(one, conversation),
            "relationships": relations,
            "links": {"self": f"/v1/messages/{one.id}"},
        }

    def _message_attributes(self, one: Message, conversation: Conversation) -> dict[str, Any]:
        first = conversation.messages[0] is one if conversation.messages else True
        return without_nothing(
            {
                "externalId": one.external_id,
                "channel": one.channel,
                "app": one.app,
                "size": len(one.body.encode()),
                "direction": one.direction,
                "directionType": f"{'initial' if first else 'followup'}-{one.direction}",
                "preview": self.preview(one),
                "meta": {},
                "status": one.status,
                "error": one.error,
                "errorAt": moment(one.sent_at) if one.error else None,
                "assignedTeams": list(conversation.assigned_teams),
                "assignedUsers": list(conversation.assigned_users),
                "auto": one.auto,
                "sentAt": to_rfc3339(one.sent_at),
                "importedAt": moment(one.imported_at) if self._assumptions.import_mark == "importedAt" else None,
                "createdAt": to_rfc3339(one.created_at),
                "updatedAt": to_rfc3339(one.created_at),
                "modifiedAt": to_rfc3339(one.created_at),
                "redacted": False,
                "createdByTeams": [],
                "rev": one.rev,
                "reactions": [],
                "intentDetections": [],
            }
        )

    def note(self, one: Note, conversation: Conversation) -> dict[str, Any]:
        """Note."""
        attributes = {"externalId": one.external_id, "body": one.body, "createdAt": to_rfc3339(one.created_at)}
        return {
            "type": "note",
            "id": one.id,
            "attributes": {**without_nothing(attributes), "updatedAt": to_rfc3339(one.created_at)},
            "relationships": {
                "org": self._org(),
                "customer": self._point("customer", conversation.customer_id, "customers"),
                "createdBy": self._by(one.author_id),
                "conversation": self._point("conversation", conversation.id, "conversations"),
                "userMentions": {"data": []},
            },
            "links": {"self": f"/v1/notes/{one.id}"},
        }

    def attachment(self, one: Attachment) -> dict[str, Any]:
        """Attachment; ``links.related`` is where the file is."""
        relations: dict[str, Any] = {"org": self._org()}
        if one.message_id:
            relations["message"] = self._point("message", one.message_id, "messages")
        return {
            "type": "attachment",
            "id": one.id,
            "attributes": {
                "name": one.name,
                "contentType": one.content_type,
                "contentLength": one.length,
                "uploaded": one.uploaded,
                "redacted": False,
            },
            "relationships": relations,
            "links": {"self": f"/v1/attachments/{one.id}", "related": self._file_url(one)},
        }

    def _file_url(self, one: Attachment) -> str:
        if one.url:
            return one.url
        if self._assumptions.attachment_links == "api":
            return f"{self.base_url}/v1/attachments/{one.id}/content"
        return f"{self.base_url}/simulator/attachments/{one.id}?X-Amz-Signature={one.policy}"

    # --------------------------------------------------------------------------------------- routing
    def queue(self, one: Queue) -> dict[str, Any]:
        """Queue."""
        attributes = {"name": one.name, "displayName": one.name, "default": one.default}
        return {
            "type": "queue",
            "id": one.id,
            "attributes": attributes,
            "relationships": {"org": self._org()},
            "links": {"self": f"/v1/routing/queues/{one.id}"},
        }

    def work_item(self, one: WorkItem, conversation: Conversation) -> dict[str, Any]:
        """WorkItem."""
        attributes = {
            "status": one.status,
            "resourceType": "conversation",
            "channel": "chat",
            "queuedCount": one.queued_count,
            "enteredQueueAt": moment(one.queued_at),
            "acceptedAt": moment(one.accepted_at),
            "completedAt": moment(one.completed_at),
            "createdAt": to_rfc3339(one.created_at),
        }
        relations = {"org": self._org(), "resource": self._point("conversation", conversation.id, "conversations")}
        if one.queue_id:
            relations["queue"] = self._point("queue", one.queue_id, "routing/queues")
        if one.user_id:
            relations["assignedTo"] = self._by(one.user_id)
        return {
            "type": "work_item",
            "id": one.id,
            "attributes": without_nothing(attributes),
            "relationships": relations,
            "links": {"self": f"/v1/routing/work-items/{one.id}"},
        }

    def tag(self, one: Tag) -> dict[str, Any]:
        """Tag."""
        return {
            "type": "tag",
            "id": one.id,
            "attributes": {"name": one.name},
            "relationships": {"org": self._org()},
            "links": {"self": f"/v1/tags/{one.id}"},
        }


def _last(messages: list[Message]) -> dict[str, Any]:
    if not messages:
        return {}
    return {"id": messages[-1].id, "sentAt": to_rfc3339(messages[-1].sent_at), "channel": messages[-1].channel}
