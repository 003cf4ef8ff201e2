"""Bots: who speaks to the visitor until a person does."""
