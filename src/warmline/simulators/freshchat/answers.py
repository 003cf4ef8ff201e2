"""What Freshchat answers, and what its webhooks carry.

Documented: the four webhooks with the fields below; names of the fields of agents, users, groups and topics.  Reported: the number
of a conversation, ``interaction_id``, ``reply_parts``, ``botsPrivateNote``, what an upload answers.  Assumed: that absent values
are left out of answers (webhooks say "" for nobody, as documented), and the names inside an upload's answer for a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warmline.kernel.clock import to_rfc3339
from warmline.simulators.freshchat.assumptions import Assumptions
from warmline.simulators.freshchat.state import Account, Agent, Channel, Conversation, Group, Message, Upload, User

_WITH_ADDRESS = ("file", "image", "video")


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None)}


def user(one: User) -> dict[str, Any]:
    """A user."""
    return _said(
        {
            "id": one.id,
            "created_time": to_rfc3339(one.created_at),
            "updated_time": to_rfc3339(one.updated_at),
            "first_name": one.first_name,
            "last_name": one.last_name,
            "email": one.email,
            "phone": one.phone,
            "reference_id": one.reference_id,
            "avatar": {"url": one.avatar_url} if one.avatar_url else None,
            "login_status": False,
            "properties": [{"name": name, "value": value} for name, value in one.properties.items()],
        }
    )


def agent(one: Agent) -> dict[str, Any]:
    """An agent."""
    return _said(
        {
            "id": one.id,
            "first_name": one.first_name,
            "last_name": one.last_name,
            "email": one.email,
            "avatar": {"url": one.avatar_url} if one.avatar_url else None,
            "groups": list(one.groups),
            "agent_status": {"name": "Active" if one.online else "Away"},
            "availability_status": "AVAILABLE" if one.online else "UNAVAILABLE",
            "login_status": one.online,
            "is_deactivated": False,
            "role_name": "Agent",
        }
    )


def group(one: Group) -> dict[str, Any]:
    """A group."""
    return {"id": one.id, "name": one.name, "description": one.description, "routing_type": one.routing_type}


def channel(one: Channel) -> dict[str, Any]:
    """A topic."""
    return {
        "id": one.id,
        "name": one.name,
        "enabled": one.enabled,
        "public": True,
        "tags": [],
        "welcome_message": {
            "message_parts": [{"text": {"content": "How may we help?"}}],
            "message_type": "normal",
        },
        "source": "FRESHCHAT",
    }


def _number(one: Conversation, assumed: Assumptions) -> dict[str, Any]:
    return {} if assumed.ids == "guid" else {"freshchat_conversation_id": one.number}


def message(
    one: Message, conversation: Conversation, account: Account, assumed: Assumptions, now: int
) -> dict[str, Any]:
    """A message, in answers and in webhooks."""
    parts = one.parts if now >= one.urls_at else [_without_address(part) for part in one.parts]
    fields: dict[str, Any] = {
        "id": one.id,
        "message_parts": parts,
        "app_id": account.app_id,
        "actor_id": one.actor_id,
        "channel_id": conversation.channel_id,
        "conversation_id": conversation.id,
        **_number(conversation, assumed),
        "interaction_id": one.interaction_id,
        "message_type": None if assumed.message_type_missing else one.message_type,
        "actor_type": one.actor_type,
        "created_time": to_rfc3339(one.created_at),
        "user_id": conversation.user_id,
        "message_source": "web" if one.actor_type == "agent" else "api",
        "restrictResponse": False,
        "botsPrivateNote": one.bots_private_note,
        "reply_parts": one.reply_parts or None,
    }
    if one.error:
        fields |= {"error_code": 400, "status": "Failed", "error_message": one.error}
    return _said(fields)


def _without_address(part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {name: value for name, value in content.items() if name != "url"} if kind in _WITH_ADDRESS else content
        for kind, content in part.items()
    }


def conversation(one: Conversation, account: Account, assumed: Assumptions) -> dict[str, Any]:
    """A conversation, in answers and in webhooks."""
    return _said(
        {
            "conversation_id": one.id,
            **_number(one, assumed),
            "app_id": account.app_id,
            "status": one.status,
            "channel_id": one.channel_id,
            "assigned_agent_id": one.agent_id,
            "assigned_group_id": one.group_id,
        }
    )


def upload(one: Upload, url: str, assumed: Assumptions) -> dict[str, Any]:
    """An uploaded file; ``url`` is where it can be fetched."""
    fields: dict[str, Any] = {
        "file_name": one.name,
        "file_size": len(one.body),
        "file_content_type": one.content_type,
    }
    if assumed.upload_answer == "url":
        return {**fields, "file_id": one.id, "url": url}
    return {**fields, "file_hash": one.id, "file_id": one.id}


def envelope(action: str, actor: tuple[str, str], at: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """A webhook's body.  ``actor`` is his kind and his id."""
    return {
        "actor": {"actor_type": actor[0], "actor_id": actor[1]},
        "action": action,
        "action_time": to_rfc3339(at),
        "data": data,
    }
