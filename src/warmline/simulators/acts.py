"""What agents do on the agent page, as far as it is the same at every vendor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from warmline.simulators.agent import Done, Staff
from warmline.simulators.base import VendorRefusal
from warmline.simulators.board import ActRefused, Choice

T = TypeVar("T")
Acts = dict[str, Callable[[], Awaitable[object]]]


class Served(Staff, Protocol):
    """A vendor whose people are on the page."""

    def send_unknown_event(self, conversation: Any, /) -> Done:
        """Report what no documentation names."""


def usual_acts(vendor: Served, conversation: Any, fields: Mapping[str, str]) -> Acts:
    """The acts that every page has, by their names; a vendor adds its own."""
    agent = picked(vendor.agents, fields.get("agent", ""))
    return {
        "say": lambda: vendor.agent_says(conversation, fields.get("text", "")),
        "sample": lambda: vendor.agent_sends_sample(conversation, fields.get("sample", "")),
        "join": lambda: vendor.agent_joins(conversation, agent),
        "to-agent": lambda: vendor.transfer_to_agent(conversation, agent),
        "disappear": lambda: vendor.disappear(conversation),
        "unknown": lambda: vendor.send_unknown_event(conversation),
        "close": lambda: vendor.close(conversation),
    }


async def carry_out(acts: Acts, act: str, *, else_say: str) -> None:
    """Do it.  Raises ActRefused: ``else_say`` for an act that there is not, the vendor's reason for one that it refuses."""
    if act not in acts:
        raise ActRefused(else_say)
    try:
        await acts[act]()
    except VendorRefusal as refusal:
        raise ActRefused(refusal.note or refusal.message) from refusal


def choice_of(name: str, label: str, options: Iterable[Any]) -> Choice:
    """Agents, queues and the like, by their ids and names."""
    return Choice(name, label, tuple((str(one.id), one.name) for one in options))


def picked(options: Sequence[T], chosen: str) -> T:
    """The option of that id, else the first."""
    return next((one for one in options if str(getattr(one, "id", "")) == chosen), options[0])


def check_address(url: str) -> None:
    """Whether a webhook may go there.  Raises ActRefused."""
    if not url.startswith(("http://", "https://")):
        raise ActRefused("A webhook's address begins with http:// or https://.")
