"""What Oracle's documentation leaves open, as switches.  A default is our best reading, never a fact.

Sources: the consumer operations of the B2C Service chat API (create an engagement, get system messages, post a message,
change the activity, conclude, queue) and the pages on establishing sessions, status codes and the application context on
docs.oracle.com; the vendor's own sample OracleMobileChat for what messages contain.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class AbuseScreen(msgspec.Struct, frozen=True, kw_only=True):
    """When a post is blocked.  That length, links, repetition and emoji are looked at is documented, no number is."""

    max_characters: int = 12_000
    max_links: int = 10
    max_emoji: int = 100
    repeats: int = 5
    """So many equal posts, one after the other, are one too many."""
    blocks_until_end: int = 3
    """After so many blocked posts the next one ends the chat (documented: repeated abuse does)."""


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Turn these to see how an adapter bears the other reading."""

    refuse_unknown_fields: bool = True
    """The schemas do not say what happens to a field they do not name."""
    refuse_unknown_attributes: bool = False
    """Attributes of ``sessionInformation`` that are not listed.  The list we could read breaks off, hence no."""
    context_required: bool = True
    """The application context is documented as required for sibling calls; the sample sends it to this one, too."""
    port_as: Literal["number", "string"] = "number"
    """How ``port`` stands in ``sessionServerResponse``; that it is optional is documented."""
    token_lifetime_s: int | None = None
    """Not documented; None: a channel token does not expire."""
    token_once: bool = False
    """Whether a channel token is good for one engagement only."""
    wrong_pool_status: Literal[400, 404] = 404
    """A call with another pool than the session's."""
    notices_hang_up: bool = True
    """A poll whose caller has gone away does not take messages along."""
    lost_answer: Literal["gone", "again"] = "gone"
    """What becomes of messages whose answer got lost.  Redelivery is not described, and no call acknowledges."""
    second_poll: Literal["replaces", "refused"] = "replaces"
    """Only one poll at a time is allowed.  A second one ends the first with an empty list, or is refused with 400."""
    echo: bool = False
    """The visitor's own posts come back as posted messages.  In the samples they do not."""
    greeting: bool = True
    """The lead agent's ``greeting`` is filled (it is a setting of the site)."""
    wait_information_at_start: bool = True
    """Whoever begins to wait hears his position at once."""
    position_starts_at: Literal[0, 1] = 1
    post_after_end: Literal[403, 409] = 409
    """A post to a chat that is over, while the session still stands: the lead agent has left (409), or 403."""
    conclude_twice: Literal["accepted", "refused"] = "accepted"
    """Ending what is over, while the session still stands."""
    concluded_to_visitor: bool = True
    """Whoever concludes hears of it in his next poll, with the reason END_USER_CONCLUDED."""
    pool_field: Literal["pool", "poolId"] = "pool"
    """Where the new pool stands when the configuration changes."""
    file_as: Literal["attachment", "link"] = "attachment"
    """An agent's file: a file attachment message, or a posted message with a link."""
    file_url_field: str = "url"
    """The field with its address.  No field of file attachment messages is documented."""
    abuse: AbuseScreen | None = AbuseScreen()
    """None: nothing is screened."""
