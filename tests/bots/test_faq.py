"""The first engine: finds answers, counts what it did not understand, fetches people.  Pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.bots.engine import HandoverOver, OfferContact, RequestHandover, Run, Said, Started, Trigger, Turn
from warmline.bots.faq import FaqEngine
from warmline.bots.script import default_script, parse_script

SCRIPT = parse_script(default_script())
ENGINE = FaqEngine(SCRIPT)
ANSWERS = {entry.answer: entry.id for entry in SCRIPT.faq} | {
    variant.answer: entry.id for entry in SCRIPT.faq for variant in entry.translations.values() if variant.answer
}


def say(text: str, run: Run | None = None, language: str = "en") -> Turn:
    return ENGINE.turn(run or {}, Said(text=text, language=language))


def found(text: str, language: str = "en") -> str | None:
    turn = say(text, language=language)
    assert turn.effects == ()
    return ANSWERS.get(turn.says[0].text)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("how long is delivry", "delivery-time"),
        ("hi, when will my parcel arrive?", "delivery-time"),
        ("DO YOU SHIP TO NORWAY", "delivery-time"),
        ("how much does shipping cost", "delivery-cost"),
        ("can i retrun a sweater that is too small", "returns"),
        ("when do I get my refund", "returns"),
        ("do you take visa", "payment"),
        ("is it made of wool?", "materials"),
        ("hello, which size should I order?", "sizes"),
        ("Where is my order 12345?", "order-status"),
        ("my order hasn't come", "order-status"),
        ("are you open on sundays", "opening-hours"),
        ("hi", "hello"),
        ("thank you!", "thanks"),
        ("what time is it", None),
        ("whats your favourite colour", None),
        ("do you sell shoes", None),
        ("Can you write me a poem", None),
        ("asdf qwer", None),
        ("", None),
        ("🙂", None),
    ],
)
def test_questions_find_their_answers_and_others_find_none(text: str, entry: str | None) -> None:
    assert found(text) == entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Wann kommt mein Packet?", "delivery-time"),
        ("kann ich mit kreditkarte zahlen", "payment"),
        ("Habt ihr sonntag auf?", "opening-hours"),
        ("wie wird das wetter", None),
    ],
)
def test_german_questions(text: str, entry: str | None) -> None:
    assert found(text, "de-AT") == entry


def test_every_quick_reply_of_the_demo_leads_somewhere() -> None:
    for language in ("en", "de"):
        words = SCRIPT.words(language)
        choices = list(words.replies or ())
        for entry in SCRIPT.faq:
            variant = entry.translations.get(language)
            choices += entry.buttons if variant is None else variant.buttons or ()
        for choice in choices:
            assert isinstance(choice, str)
            turn = say(choice, language=language)
            asked = [effect for effect in turn.effects if isinstance(effect, RequestHandover)]
            assert asked or turn.says[0].text in ANSWERS, choice


def test_the_greeting_speaks_the_language_of_the_page() -> None:
    german = ENGINE.turn({}, Started(language="de-DE")).says[0]
    assert german.text == SCRIPT.translations["de"].greeting
    assert german.buttons[0].text == "Lieferzeit"
    assert ENGINE.turn({}, Started(language="fi")).says[0].text == SCRIPT.greeting


def test_who_writes_another_language_is_answered_in_it_from_then_on() -> None:
    turn = say("Wie lange dauert die Lieferung?")
    assert turn.run == {"language": "de"}
    assert say("asdf", turn.run).says[0].text == SCRIPT.translations["de"].not_understood


def test_two_misses_offer_a_person_and_a_third_fetches_one() -> None:
    first = say("asdf")
    assert (first.says[0].text, first.run, first.effects) == (SCRIPT.not_understood, {"misses": 1}, ())
    second = say("qwer", first.run)
    assert second.says[0].text == SCRIPT.offer_person
    assert [button.text for button in second.says[0].buttons] == ["Talk to a person", "Try again"]
    third = say("yxcv", second.run)
    assert third.effects == (RequestHandover(reason="not_understood"),)
    assert third.says[0].text == SCRIPT.giving_up
    assert third.run == {}


def test_an_answer_in_between_starts_the_count_again() -> None:
    assert say("do you take visa", {"misses": 2}).run == {}


def test_try_again_keeps_the_count_so_that_one_more_miss_fetches_a_person() -> None:
    again = say("try again", {"misses": 2})
    assert (again.says[0].text, again.run) == (SCRIPT.try_again_text, {"misses": 2})
    assert say("asdf", again.run).effects == (RequestHandover(reason="not_understood"),)


@pytest.mark.parametrize("run", [{}, {"misses": 1}, {"misses": 2}, {"after": "failed"}])
def test_a_person_is_fetched_whenever_asked_for_with_words_in_the_same_turn(run: Run) -> None:
    turn = say("I want to talk to a human", run)
    assert turn.effects == (RequestHandover(reason="requested_by_visitor"),)
    assert turn.says[0].text == SCRIPT.handing_over


def test_after_a_failed_handover_it_is_honest_and_offers_what_is_left() -> None:
    turn = ENGINE.turn({"misses": 1}, HandoverOver(outcome="failed", reason="no_agent", language="en"))
    assert turn.says[0].text == SCRIPT.handover_failed
    assert turn.effects == (OfferContact(text="Leave my contact"),)
    assert say("Try again", turn.run).effects == (RequestHandover(reason="requested_by_visitor"),)
    left = say("Leave my contact", turn.run)
    assert (left.says[0].text, left.run) == (SCRIPT.contact_hint, {})


def test_after_an_agent_and_after_cancelling_it_picks_up_again() -> None:
    ended = HandoverOver(outcome="ended", reason="agent_left", language="en")
    cancelled = HandoverOver(outcome="cancelled", reason="visitor", language="en")
    left = HandoverOver(outcome="ended", reason="visitor_left", language="en")
    idle = HandoverOver(outcome="ended", reason="idle", language="en")
    lost = HandoverOver(outcome="ended", reason="desk_lost", language="en")
    for trigger, text in (
        (ended, SCRIPT.after_agent),
        (left, SCRIPT.after_agent),
        (idle, SCRIPT.after_idle),
        (lost, SCRIPT.after_lost),
        (cancelled, SCRIPT.handover_cancelled),
    ):
        assert text is not None
        turn = ENGINE.turn({"misses": 2}, trigger)
        assert (turn.says[0].text, turn.run, turn.effects) == (text, {}, ())


triggers: st.SearchStrategy[Trigger] = st.one_of(
    st.builds(Said, text=st.text(max_size=3_000), language=st.sampled_from(("en", "de", "", "x-y", "zh-CN"))),
    st.builds(Started, language=st.text(max_size=10)),
    st.builds(
        HandoverOver,
        outcome=st.sampled_from(("failed", "cancelled", "ended")),
        reason=st.text(max_size=5),
        language=st.just("en"),
    ),
)


@given(st.lists(triggers, max_size=6))
def test_every_trigger_gets_words_and_the_run_holds_no_texts(said: list[Trigger]) -> None:
    run: Run = {}
    for trigger in said:
        turn = ENGINE.turn(run, trigger)
        assert turn.says
        assert all(each.text.strip() for each in turn.says)
        assert turn == ENGINE.turn(run, trigger), "the same input gives the same turn"
        run = turn.run
        assert run.keys() <= {"misses", "language", "after"}
        assert run.get("language", "en") in {"en", "de"}
        assert run.get("after", "failed") == "failed"
