"""What callers may send to Oracle's chat.

Documented: the fields of every body, with their types where the reference gives one; ``clientRequestTime`` as
``yyyy-MM-dd'T'HH:mm:ssXXX``; ``clientTransactionId`` as a long.  Assumed: ``messageId`` as text, and the names of an
activity's preview fields, which are those of the message that tells of an agent's activity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from warmline.simulators.base import VendorRefusal
from warmline.simulators.reading import Unfit
from warmline.simulators.reading import read as read_strictly

BAD_REQUEST = "Bad Request"
T = TypeVar("T")
Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")]


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A request; every one may say when it was made, and carry a number that is echoed."""

    client_request_time: Moment | None = None
    client_transaction_id: Long | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The way in: JSON inside JSON."""

    session_information: str


class CustomField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the site's own."""

    name: str
    type: Literal["BOOLEAN", "DATE", "DATETIME", "INTEGER", "LONG", "STRING", "DECIMAL"]
    value: Any


class SessionInformation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who asks, and about what.  The map is spelled in both ways: one by the page, the other by the sample."""

    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    queue_id: Long | None = None
    contact_id: Long | None = None
    organization_id: Long | None = None
    product_id: Long | None = None
    category_id: Long | None = None
    incident_id: Long | None = None
    question: str | None = None
    auxillary_data: Mapping[str, Any] | None = None
    auxiliary_data: Mapping[str, Any] | None = None
    custom_fields: list[CustomField] | None = None


class Activity(Body, frozen=True, kw_only=True):
    """The visitor types, or stopped."""

    mode: Literal["LISTENING", "RESPONDING"]
    sneak_preview: str | None = None
    sneak_preview_focus: bool | None = None
    sneak_preview_state: str | None = None
    sneak_preview_interval: Long | None = None


class PostedMessage(Body, frozen=True, kw_only=True):
    """The visitor writes."""

    body: str
    rich_text: bool = False
    off_the_record: bool = False
    message_id: str | None = None
    message_data_map: Mapping[str, str] | None = None


class StatsRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which queue, and what to count."""

    queue_id: Long
    chat_proactive_available_type: Literal["AGENTS", "SESSIONS"] = "SESSIONS"


class QueueRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the routing rules look at."""

    interface_id: Long | None = None
    interface_name: str | None = None
    product_id: Long | None = None
    category_id: Long | None = None
    organization_id: Long | None = None
    custom_fields: list[CustomField] | None = None


def read(body: bytes, kind: type[T], *, strict: bool, about: str = "") -> T:
    """The body as ``kind``.  Raises VendorRefusal 400."""
    try:
        return read_strictly(body, kind, strict=strict)
    except Unfit as fault:
        raise VendorRefusal(400, BAD_REQUEST, note=f"{about}{fault}") from fault
