"""Projections and queries over the journal."""
