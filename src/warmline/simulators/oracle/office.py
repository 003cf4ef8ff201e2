"""What happens to engagements, whoever causes it; each change says so in a system message.

Documented: who may post when, that a blocked post is answered with 200 and a notice, that repeated abuse ends the chat, that
rules may dequeue a request.  Assumed: how a transfer to an agent shows (added, role changed, left), the notice's form, and
``EJECTED`` as the reason of an end for abuse.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from warmline.kernel.clock import Clock, to_rfc3339
from warmline.simulators.base import VendorRefusal
from warmline.simulators.oracle import bodies, messages
from warmline.simulators.oracle.assumptions import Assumptions
from warmline.simulators.oracle.state import CONFEREE, LEAD, Agent, Engagement, Participant, Post, Queue, Site, Token

GONE, LEFT, DEQUEUED = "Session not found", "The lead agent has left the engagement", "Dequeued by routing rules"
NOTICE = "Your message was blocked because it looks like spam."
_LINK = re.compile(r"https?://")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")
_SECONDS_PER_PLACE = 90
Send = Callable[[Engagement, dict[str, Any]], None]


class Office:
    """The rules.  Methods raise VendorRefusal where Oracle refuses."""

    def __init__(self, site: Site, clock: Clock, assumptions: Assumptions, send: Send) -> None:
        self.site = site
        self.assumptions = assumptions
        self.began_to_wait: Callable[[Engagement], None] = lambda _engagement: None
        self.visitor_spoke: Callable[[Engagement], None] = lambda _engagement: None
        self.mixes_in_unknown: Callable[[], bool] = lambda: False
        self._clock = clock
        self._send = send

    # ------------------------------------------------------------------------------------------ looking
    def engagement(self, engagement_id: int) -> Engagement:
        """Raises VendorRefusal 404."""
        found = self.site.engagements.get(engagement_id)
        if found is None:
            raise VendorRefusal(404, "Not Found", note=f"there is no engagement {engagement_id}")
        return found

    def session(self, session_id: str) -> Engagement:
        """The engagement of a session.  Raises VendorRefusal 403."""
        for one in self.site.engagements.values():
            if one.known and one.session_id == session_id:
                return one
        raise VendorRefusal(403, GONE, note=f"the session {session_id!r} is not known, or no longer")

    # ----------------------------------------------------------------------------------------- the start
    def let_in(self, information: dict[str, Any]) -> str:
        """A channel token for whoever may ask for an engagement."""
        lifetime = self.assumptions.token_lifetime_s
        token = f"{secrets.token_urlsafe(12)}.{secrets.token_urlsafe(24)}.simulated"
        expires_at = None if lifetime is None else self._clock.now() + lifetime * 1000
        self.site.tokens[token] = Token(information=information, expires_at=expires_at)
        return token

    def begin(self, token: Token) -> Engagement:
        """A chat that waits.  Raises VendorRefusal 409."""
        token.used = True
        queue = self.site.queue(token.information.get("queueId")) or self.site.queues[0]
        if not queue.open:
            raise VendorRefusal(409, DEQUEUED, note=f"the queue {queue.name} is closed")
        engagement = Engagement(
            id=self.site.next_id(),
            client_id=self.site.next_id(),
            session_id=secrets.token_urlsafe(24),
            information=token.information,
            queue_id=queue.id,
            pool=self.site.pool,
            created_at=self._clock.now(),
        )
        self.site.engagements[engagement.id] = engagement
        self._note(engagement, f"waits in {queue.name}")
        self.count(queue.id, at_start=engagement)
        self.began_to_wait(engagement)
        return engagement

    def count(self, queue_id: int, at_start: Engagement | None = None) -> None:
        """Tell everybody in a queue his position, where it changed."""
        first = self.assumptions.position_starts_at
        for position, one in enumerate(self.site.waiting_in(queue_id), first):
            quiet = one is at_start and not self.assumptions.wait_information_at_start
            if one.position != position and not quiet:
                self.moves(one, position, (position - first + 1) * _SECONDS_PER_PLACE)

    def moves(self, engagement: Engagement, position: int, seconds: int) -> None:
        """It stands at ``position`` now, and has about ``seconds`` to wait."""
        engagement.position = position
        fields = {
            "position": position,
            "expectedWaitTimeSeconds": seconds,
            "averageWaitTimeSeconds": _SECONDS_PER_PLACE,
        }
        self.tell(engagement, messages.WAIT, fields)

    # -------------------------------------------------------------------------------------- the visitor
    def posts(self, engagement: Engagement, given: bodies.PostedMessage) -> None:
        """The visitor writes.  Raises VendorRefusal 403 or 409."""
        if engagement.state == "ended":
            raise VendorRefusal(self.assumptions.post_after_end, LEFT, note="the chat is over")
        if engagement.state == "left":
            raise VendorRefusal(409, LEFT, note="the lead agent has left, and nobody follows")
        if self._abusive(engagement, given.body):
            self._block(engagement)
            return
        engagement.typing, engagement.preview = False, ""
        engagement.lines.append(
            Post(
                side="visitor",
                name=engagement.title,
                body=given.body,
                at=self._clock.now(),
                rich=given.rich_text,
                message_id=given.message_id,
                off_the_record=given.off_the_record,
                data=given.message_data_map or {},
            )
        )
        if self.assumptions.echo:
            self.tell(engagement, messages.POSTED, {"clientId": engagement.client_id, "body": given.body})
        self.visitor_spoke(engagement)

    def _abusive(self, engagement: Engagement, body: str) -> bool:
        screen = self.assumptions.abuse
        if screen is None:
            return False
        before = [line.body for line in engagement.lines if line.side == "visitor"][-(screen.repeats - 1) :]
        repeated = len(before) == screen.repeats - 1 and all(one == body for one in before)
        return (
            repeated
            or len(body) > screen.max_characters
            or len(_LINK.findall(body)) > screen.max_links
            or len(_EMOJI.findall(body)) > screen.max_emoji
        )

    def _block(self, engagement: Engagement) -> None:
        screen = self.assumptions.abuse
        if screen is not None and engagement.blocked >= screen.blocks_until_end:
            self.conclude(engagement, "EJECTED")
            raise VendorRefusal(409, "The engagement was terminated for abuse", note="blocked too often")
        engagement.blocked += 1
        self._note(engagement, "a post was blocked")
        self.tell(engagement, messages.POSTED, {"body": NOTICE, "role": "SYSTEM"})

    # ----------------------------------------------------------------------------------------- the agents
    def join(self, engagement: Engagement, agent: Agent, role: str, greeting: str | None) -> Participant:
        """``agent`` comes in; a lead takes it out of its queue."""
        self._open(engagement)
        if any(one.agent is agent for one in engagement.participants):
            raise VendorRefusal(409, "Conflict", note=f"{agent.name} is in it already")
        if role == LEAD and engagement.lead is not None:
            raise VendorRefusal(409, "Conflict", note=f"{engagement.lead.agent.name} has it")
        one = Participant(client_id=self.site.next_id(), agent=agent, role=role)
        engagement.participants.append(one)
        if role == LEAD:
            engagement.state, engagement.had_lead, engagement.position = "held", True, None
        fields = {"clientId": one.client_id, "name": agent.name, "greeting": greeting, "role": role}
        self.tell(engagement, messages.ADDED, fields)
        self._note(engagement, f"{agent.name} joined")
        self.count(engagement.queue_id)
        return one

    def say(self, engagement: Engagement, who: Participant, body: str, *, rich: bool) -> Post:
        """An agent writes; ``rich`` for HTML, else the text is made HTML as the agents' window does."""
        self._open(engagement)
        wire = body if rich else as_html(body)
        self.tell(engagement, messages.POSTED, {"clientId": who.client_id, "body": wire})
        post = Post(side="agent", name=who.agent.name, body=body, at=self._clock.now(), rich=rich)
        engagement.lines.append(post)
        return post

    def send_file(self, engagement: Engagement, who: Participant, name: str, url: str) -> Post:
        """An agent sends a file."""
        self._open(engagement)
        if self.assumptions.file_as == "link":
            link = f'<a href="{html.escape(url)}">{html.escape(name)}</a>'
            self.tell(engagement, messages.POSTED, {"clientId": who.client_id, "body": link})
        else:
            fields = {"clientId": who.client_id, "fileName": name, self.assumptions.file_url_field: url}
            self.tell(engagement, messages.FILE, fields)
        post = Post(side="agent", name=who.agent.name, body="", at=self._clock.now(), files=((url, name),))
        engagement.lines.append(post)
        return post

    def leave(self, engagement: Engagement, one: Participant, reason: str) -> None:
        """A participant goes; when it was the lead, nobody follows unless somebody sees to it."""
        engagement.participants.remove(one)
        fields = {"clientId": one.client_id, "role": one.role, "disconnectReason": reason}
        self.tell(engagement, messages.LEFT, fields)
        self._note(engagement, f"{one.agent.name} left: {reason}")
        if one.role == LEAD:
            engagement.state = "left"

    def to_queue(self, engagement: Engagement, queue: Queue) -> None:
        """It waits again, in ``queue``."""
        self._open(engagement)
        before = engagement.queue_id
        for one in list(engagement.participants):
            self.leave(engagement, one, "TRANSFERRED_TO_QUEUE" if one.role == LEAD else "PARTICIPANT_LEFT")
        engagement.state, engagement.queue_id, engagement.position = "waiting", queue.id, None
        self._note(engagement, f"transferred to the queue {queue.name}")
        for queue_id in {before, queue.id}:
            self.count(queue_id)
        self.began_to_wait(engagement)

    def to_agent(self, engagement: Engagement, agent: Agent, greeting: str | None) -> None:
        """``agent`` comes in and leads; who led before leaves."""
        before = engagement.lead
        if before is None:
            self.join(engagement, agent, LEAD, greeting)
            return
        if before.agent is agent:
            raise VendorRefusal(409, "Conflict", note=f"{agent.name} has it")
        new = next((one for one in engagement.participants if one.agent is agent), None)
        new = new or self.join(engagement, agent, CONFEREE, greeting)
        before.role, new.role = CONFEREE, LEAD
        for one in (before, new):
            self.tell(engagement, messages.ROLE, {"clientId": one.client_id, "role": one.role})
        self.leave(engagement, before, "PARTICIPANT_LEFT")

    def conclude(self, engagement: Engagement, reason: str, role: str | None = None) -> None:
        """It is over.  ``role`` is that of who ended it."""
        if engagement.state == "ended":
            return
        engagement.state, engagement.reason, engagement.typing = "ended", reason, False
        engagement.participants.clear()
        if reason == "END_USER_CONCLUDED" and not self.assumptions.concluded_to_visitor:
            engagement.known = False
        else:
            self.tell(engagement, messages.CONCLUDED, {"reason": reason, "role": role})
        self._note(engagement, f"concluded: {reason}")
        self.count(engagement.queue_id)

    def move_pool(self, engagement: Engagement, pool: str) -> None:
        """The session lives in another pool from the moment its caller was told."""
        engagement.next_pool = pool
        self.tell(engagement, messages.CONFIGURATION, {self.assumptions.pool_field: pool})

    # --------------------------------------------------------------------------------------------- inside
    def tell(self, engagement: Engagement, name: str, fields: Mapping[str, Any]) -> None:
        """One more system message, after one of an unknown kind where that is wished."""
        for kind, more in ([(messages.UNKNOWN, {})] if self.mixes_in_unknown() else []) + [(name, dict(fields))]:
            self._tell(engagement, kind, more)

    def _tell(self, engagement: Engagement, name: str, fields: Mapping[str, Any]) -> None:
        number = len(engagement.sent) + 1
        base = {"messageName": name, "createdTime": to_rfc3339(self._clock.now()), "sequenceNumber": number}
        message = messages.with_twins({**base, **fields})
        engagement.sent.append(message)
        self._send(engagement, message)

    @staticmethod
    def _open(engagement: Engagement) -> None:
        if engagement.state == "ended":
            raise VendorRefusal(409, "Conflict", note="the chat is over")

    def _note(self, engagement: Engagement, what: str) -> None:
        engagement.activity.append((self._clock.now(), what))


def as_html(text: str) -> str:
    """A text as the agents' window sends it: escaped, with breaks, and double spaces kept."""
    return html.escape(text, quote=False).replace("\n", "<br>").replace("  ", "&nbsp; ")
