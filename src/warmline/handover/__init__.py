"""Handing a conversation to people: the port every desk implements, connections, ladder, relay, waiting."""
