"""Kustomer, by its server-side chat API."""

from __future__ import annotations

from warmline.desks.kustomer.desk import KustomerDesk, kustomer_kind

__all__ = ["KustomerDesk", "kustomer_kind"]
