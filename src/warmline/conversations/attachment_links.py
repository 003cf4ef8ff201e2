"""Links to files that carry their own permission: one file, until a moment, signed with the installation's key."""

from __future__ import annotations

from urllib.parse import quote

from warmline.conversations.events import Attachment
from warmline.kernel.clock import DAY, HOUR, SECOND, Clock
from warmline.kernel.errors import Forbidden
from warmline.platform.crypto import Keyring

PATH = "/files/"
SHOWN_MS = HOUR
"""A link on a page of ours lives one to two hours; pages ask for a fresh one."""
_CONTEXT = "file link"
_LONGEST_TAG = 100
_LONGEST_NUMBER = 12


class AttachmentLinks:
    """Makes and checks them.  ``days`` is how long links live that go to other systems."""

    def __init__(self, keyring: Keyring, clock: Clock, *, public_url: str, days: int) -> None:
        self._keyring = keyring
        self._clock = clock
        self._base = public_url.rstrip("/")
        self._lasting = days * DAY

    def shown(self, one: Attachment) -> str:
        """A path for a page of ours, the same for up to an hour, so that a browser keeps what it has loaded."""
        return self._path(one, (self._clock.now() // SHOWN_MS + 2) * SHOWN_MS)

    def lasting(self, one: Attachment, at: int) -> str:
        """An address for another company's system; the same for a day after ``at``, the moment of the message."""
        now = self._clock.now()
        return self._base + self._path(one, (at if 0 <= now - at < DAY else now) + self._lasting)

    def check(self, attachment_id: str, expires: str, signature: str) -> int:
        """The seconds that a link still lives.  Raises Forbidden ``link_expired`` or ``link_invalid``."""
        wrong = Forbidden("This link is not valid.", code="link_invalid")
        if not (expires.isascii() and expires.isdigit() and len(expires) <= _LONGEST_NUMBER):
            raise wrong
        if len(signature) > _LONGEST_TAG or not self._keyring.tag_matches(
            signature, _signed(attachment_id, expires), _CONTEXT
        ):
            raise wrong
        left = int(expires) - self._clock.now() // SECOND
        if left <= 0:
            raise Forbidden("This link has expired. Open the conversation again for a new one.", code="link_expired")
        return left

    def _path(self, one: Attachment, until: int) -> str:
        expires = str(until // SECOND)
        signature = self._keyring.tag(_signed(one.id, expires), _CONTEXT)
        return f"{PATH}{one.id}/{quote(one.name, safe='')}?expires={expires}&signature={signature}"


def _signed(attachment_id: str, expires: str) -> bytes:
    return f"{attachment_id}.{expires}".encode()
