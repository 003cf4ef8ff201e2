"""Oracle B2C Service chat, by the consumer operations of its REST API."""

from __future__ import annotations

from warmline.desks.oracle.desk import OracleDesk, oracle_kind

__all__ = ["OracleDesk", "oracle_kind"]
