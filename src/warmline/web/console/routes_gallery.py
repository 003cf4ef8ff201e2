"""The living page of every component in every state."""

from __future__ import annotations

from typing import Any

from litestar import Response, get

from warmline.kernel.clock import DAY, HOUR, MINUTE
from warmline.web.console.forms import Form
from warmline.web.console.visit import Visit


@get("/ui", sync_to_thread=False)
def show_components(visit: Visit) -> Response[str]:
    now = visit.ctx.clock.now()
    direction = "rtl" if visit.request.query_params.get("dir") == "rtl" else "ltr"
    form = Form([("email", "nora@")], {"email": "This is not an e-mail address."})
    return visit.page("pages/ui.html", direction=direction, now=now, form=form, **_samples(now))


def _samples(now: int) -> dict[str, Any]:
    visitor = {"kind": "visitor", "name": "Visitor", "initials": "V", "hue": 200, "avatar": ""}
    bot = {"kind": "bot", "name": "Shop bot", "initials": "B", "hue": 60, "avatar": ""}
    agent = {"kind": "agent", "name": "Mina Okafor", "initials": "MO", "hue": 320, "avatar": ""}
    note = {"kind": "note", "name": "Note by Mina · visitors never see this", "initials": "", "hue": 60, "avatar": ""}

    def line(number: int, author: dict[str, Any], text: str, ago: int, **more: Any) -> dict[str, Any]:
        blank = {"mine": False, "state": "", "state_text": "", "buttons": [], "seen": False}
        return {"id": f"sample-{number}", "author": author, "text": text, "at": now - ago, **blank, **more}

    return {
        "talk": [
            line(1, bot, "Hello! What can I help you with?", 6 * MINUTE, buttons=["My order", "Returns", "A person"]),
            line(2, visitor, "My parcel says delivered, but there is nothing here.", 5 * MINUTE),
        ],
        "answers": [
            line(
                3,
                agent,
                "I am sorry about that. I am looking at the carrier’s record now.",
                2 * MINUTE,
                mine=True,
                seen=True,
            ),
            line(4, visitor, "Thank you!\n<b>Order 4711</b> — حالة الطلب؟", MINUTE),
            line(5, note, "Carrier confirmed the wrong house number. Offer a new parcel.", MINUTE),
            line(6, agent, "A new one is on its way.", 5_000, mine=True, state="sending", state_text="Sending…"),
            line(
                7,
                agent,
                "You will get the number by e-mail.",
                3_000,
                mine=True,
                state="failed",
                state_text="Not delivered. Send again?",
            ),
        ],
        "people": _PEOPLE,
        "story": _story(now),
        "yesterday": now - DAY,
    }


_PEOPLE = [
    {"initials": "NK", "hue": 20},
    {"initials": "MO", "hue": 320},
    {"initials": "AL", "hue": 150},
    {"initials": "JT", "hue": 250},
    {"initials": "SÖ", "hue": 95},
]


def _story(now: int) -> list[dict[str, Any]]:
    return [
        {"icon": "chat", "tone": "", "text": "Conversation started", "note": "from /basket", "at": now - HOUR},
        {
            "icon": "handover",
            "tone": "wait",
            "text": "Handover offered to Custom CRM",
            "note": "first rung",
            "at": now - 50 * MINUTE,
        },
        {"icon": "alert", "tone": "bad", "text": "No answer within 60 s", "note": "", "at": now - 49 * MINUTE},
        {
            "icon": "person",
            "tone": "good",
            "text": "Mina Okafor joined",
            "note": "at our own desk",
            "at": now - 45 * MINUTE,
        },
    ]


GALLERY = (show_components,)
