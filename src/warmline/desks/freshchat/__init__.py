"""Freshchat, by its REST API v2 and the account's webhook."""

from __future__ import annotations

from warmline.desks.freshchat.desk import FreshchatDesk, freshchat_kind

__all__ = ["FreshchatDesk", "freshchat_kind"]
