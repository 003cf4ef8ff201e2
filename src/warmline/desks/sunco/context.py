"""What an agent is told first: why a person is wanted, and what was said, in as few messages as the vendor's limit allows."""

from __future__ import annotations

from collections.abc import Sequence

from warmline.handover.port import HandoverRequest

TEXT_LIMIT = 4_096
MOST_PARTS = 10
"""Zendesk shows its agents ten messages of what was said before, unless told where to begin."""
_LEFT_OUT = "(earlier messages are left out)"


def context_parts(request: HandoverRequest) -> list[str]:
    """The facts, then the transcript up to the wish for a person; never more than ``MOST_PARTS``, the newest are kept."""
    facts = [
        ("Reason", str(request.reason)),
        ("Visitor", request.visitor.name),
        ("E-mail", request.visitor.email),
        ("Phone", request.visitor.phone),
        ("Page", request.page.get("url")),
        ("Language", request.language),
        ("Transcript", request.transcript_url),
    ]
    first = pieces("\n".join(f"{name}: {value}" for name, value in facts if value))[0]
    turns = [
        f"{line.name or str(line.author).capitalize()}: {line.text.strip()}"
        for line in request.transcript
        if line.seq <= request.cursor and line.text.strip()
    ]
    parts = split_turns(turns)
    kept = parts[-(MOST_PARTS - 1) :]
    if (len(kept) < len(parts) or not request.transcript_complete) and _length(first) + len(_LEFT_OUT) < TEXT_LIMIT:
        first = f"{first}\n{_LEFT_OUT}"
    return [first, *kept]


def split_turns(turns: Sequence[str], limit: int = TEXT_LIMIT) -> list[str]:
    """``turns`` in texts of at most ``limit`` characters, broken between turns; a turn that is longer is cut."""
    parts: list[str] = []
    for turn in turns:
        if parts and _length(parts[-1]) + 1 + _length(turn) <= limit:
            parts[-1] = f"{parts[-1]}\n{turn}"
        else:
            parts += pieces(turn, limit)
    return parts


def pieces(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """``text`` in pieces of at most ``limit`` characters; none for no text.

    The vendor does not say what a character is to it, so one beyond the basic plane (an emoji) counts as two.
    """
    found: list[str] = []
    rest = text
    while _length(rest) > limit:
        end = min(limit, len(rest))
        while _length(rest[:end]) > limit:
            end -= (_length(rest[:end]) - limit + 1) // 2
        found.append(rest[:end])
        rest = rest[end:]
    return [*found, rest] if rest else found


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
