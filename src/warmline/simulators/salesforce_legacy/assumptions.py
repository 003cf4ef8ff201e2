"""What the guide of the retired chat leaves open, as switches.  A default is our best reading, never a fact.

Source: the vendor's Chat REST API Developer Guide, version 66.0.  "Reported" is what public client code says of the real
server; it is in no reference text.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    # ------------------------------------------------------------------------------------------- the wire
    refuse_unknown_fields: bool = True
    """The tables do not say what happens to a field that they do not name."""
    accepted_status: Literal[200, 202] = 200
    """The guide lists both for a POST that went well."""
    visitor_answers_wrapped: bool = True
    """``Settings``, ``Availability`` and ``VisitorId`` stand in a list ``messages`` (reported for ``Availability``)."""
    resync_wrapped: bool = False
    """Whether the answer of ``ResyncSession`` does, which is not in the guide at all."""
    poll_timeout_as: Literal["number", "string"] = "number"
    """``clientPollTimeout``: an integer by the guide's table, a string in its example."""
    long_deployment_id: Literal["accepted", "refused"] = "refused"
    """An id of 18 characters where ``Availability`` documents the one of 15; the status 400 is assumed."""
    chat_key: Literal["either", "whole", "first part"] = "either"
    """``chatKey`` of an upload: the session key, or what stands before its first ``!``."""

    # ------------------------------------------------------------------------------------------- sequences
    older_number: Literal["refused", "dropped"] = "refused"
    """A POST whose number lies before the newest one.  The newest one again is a repetition, and dropped (documented)."""
    refused_posts_count: bool = False
    """Whether a POST that was refused uses its number up."""
    lost_answer: Literal["again", "gone"] = "again"
    """A batch that was not acknowledged by the next ``ack`` comes again, under its number."""
    notices_hang_up: bool = True
    """A held poll whose caller has gone is no duplicate of the next one.  If not, the next poll ends the chat."""
    silence_ends_after_s: int | None = 120
    """Without a poll for so long a session is over.  Documented as a setting of the deployment, without a number."""

    # ---------------------------------------------------------------------------------------------- a chat
    end_while_waiting: Literal["accepted", "refused"] = "accepted"
    """``ChatEnd`` before an agent accepted.  By its letter the guide has every POST fail with 500 until then."""
    position_starts_at: Literal[0, 1] = 1
    """1 in the guide's example, 0 as reported."""
    connection_timeout_ms: int = 30_000
    """``connectionTimeout`` of a request that succeeded (reported, without a meaning)."""
    idle_timeout_s: int | None = None
    """With a number ``ChatEstablished`` has ``chasitorIdleTimeout``, whose fields no table names."""
    after_disconnect: Literal["ChatEstablished", "ChatTransferred"] = "ChatEstablished"
    """How the next agent is told after one was disconnected."""
    transfer_result: str = "Success"
    """The ``type`` of the ``FileTransfer`` that follows an upload; "" for none.  Reported: Requested and Canceled."""

    # ----------------------------------------------------------------------------------------- another server
    resync_needed: bool = True
    """Until ``ChasitorResyncState`` came, a session that has moved answers other POSTs with 500."""
    missed_after_reconnect: Literal["told", "only in the session data"] = "told"
    """Events after ``ReconnectSession.offset`` follow the session data, or have to be read from its ``chatMessages``."""
    reconnect_unmoved_status: Literal[405, 200] = 405
    """``ReconnectSession`` without a 503 before (405 is reported)."""

    # ---------------------------------------------------------------------------------- quirks that are reported
    vanish_within_ms: int = 0
    """A message so soon after the one before is answered well, and never seen."""
    position_always_zero: bool = False
    """As with routing by Omni-Channel."""
    typing_swapped: bool = False
    """``AgentTyping`` and ``AgentNotTyping`` of one batch stand in the wrong order."""
