"""Which roles an operation asks for (documented for each on its reference page); one of them is enough.

A role holds for everything below it: ``org.permission.conversation`` includes ``org.permission.conversation.create``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

CONVERSATION, MESSAGE = "org.permission.conversation.create", "org.permission.message.create"
ALL = frozenset({"org.permission", "org.user", "org.admin"})
"""What the key of a simulator may do unless told otherwise."""

_CUSTOMER_READ = ("org.permission.customer.read", "org.user.customer.read")
_CUSTOMER_WRITE = ("org.permission.customer.update", "org.user.customer.write")
_CONVERSATION_READ = ("org.permission.conversation.read", "org.user.conversation.read")
_CONVERSATION_WRITE = ("org.permission.conversation.update", "org.user.conversation.write")
_MESSAGE_READ = ("org.permission.message.read", "org.user.message.read")
_NOTE_WRITE = ("org.permission.note.create", "org.user.note.write")
_ROUTING_READ = ("org.permission.queue.read", "org.permission.routing.read", "org.user.routing.read")
_ATTACHMENT_READ = ("org.permission.attachment.read", "org.user.attachment.read")
_USER_READ = ("org.permission.user.read", "org.user.read")
_WEBHOOK = ("org.outbound_webhooks", "org.admin.outbound_webhooks")

NEEDED: Mapping[str, tuple[str, ...]] = {
    "chat.handoff": (CONVERSATION, MESSAGE),
    "sessions.create": (CONVERSATION,),
    "sessions.list": ("org.permission.conversation.read",),
    "sessions.messages": ("org.permission.message.read",),
    "chat.message": (MESSAGE,),
    "chat.outbound": (MESSAGE,),
    "chat.assistant": (MESSAGE,),
    "chat.typing": (MESSAGE,),
    "customers.get": _CUSTOMER_READ,
    "customers.by_email": _CUSTOMER_READ,
    "customers.by_external_id": _CUSTOMER_READ,
    "customers.create": ("org.permission.customer.create", "org.user.customer.write"),
    "customers.change": _CUSTOMER_WRITE,
    "customers.conversations": _CONVERSATION_READ,
    "conversations.get": _CONVERSATION_READ,
    "conversations.by_external_id": _CONVERSATION_READ,
    "conversations.create": (CONVERSATION, "org.user.conversation.write"),
    "conversations.change": _CONVERSATION_WRITE,
    "messages.list": _MESSAGE_READ,
    "messages.get": _MESSAGE_READ,
    "messages.by_external_id": _MESSAGE_READ,
    "messages.create": (MESSAGE, "org.user.message.write"),
    "notes.list": ("org.permission.note.read", "org.user.note.read"),
    "notes.create": _NOTE_WRITE,
    "tags.append": _CONVERSATION_WRITE,
    "tags.remove": _CONVERSATION_WRITE,
    "users.list": _USER_READ,
    "users.get": _USER_READ,
    "queues.list": _ROUTING_READ,
    "queues.get": _ROUTING_READ,
    "work_items.list": _ROUTING_READ[1:],
    "work_items.create": ("org.permission.routing.create", "org.user.routing.write"),
    "attachments.create": ("org.permission.note.create", MESSAGE, "org.user.note.write", "org.user.message.write"),
    "attachments.get": _ATTACHMENT_READ,
    "attachments.of_message": _ATTACHMENT_READ,
    "webhooks.list": ("org.permission.outbound_webhook.read", *_WEBHOOK),
    "webhooks.get": ("org.permission.outbound_webhook.read", *_WEBHOOK),
    "webhooks.create": ("org.permission.outbound_webhook.create", *_WEBHOOK),
    "webhooks.change": ("org.permission.outbound_webhook.update", *_WEBHOOK),
    "webhooks.delete": ("org.permission.outbound_webhook.delete", *_WEBHOOK),
}
"""By operation; one that is not here asks for none."""


def missing(operation: str, held: Collection[str], *, handoff_needs_both: bool) -> tuple[str, ...]:
    """The roles of which one (for a handoff perhaps both) would be needed; empty when all is well."""
    needed = NEEDED.get(operation, ())
    lacking = tuple(one for one in needed if not any(one == role or one.startswith(f"{role}.") for role in held))
    if operation == "chat.handoff" and handoff_needs_both:
        return lacking
    return lacking if len(lacking) == len(needed) else ()
