"""Conversations: the aggregate, its events, and the use cases around it."""
