"""Asking for a person is always understood, and nothing else is taken for it."""

from __future__ import annotations

import pytest

from warmline.bots.person import asks_for_person

ASKING = """
Talk to a person
talk to a human please
agent
HUMAN!!
I want to speak with someone
can I speak to a real person?
get me a representative
Could a person help me, please?
I would rather ask a person
connect me to an operator
I need to talk to somebody from your team
is there a human there?
live agent
customer service
could you please transfer me to a colleague
let me chat with a humn
I'd rather talk to a person
not a bot, a human
I do not want a bot, I want a human
why can't I talk to a person
Mit einem Menschen sprechen
Ich möchte mit einem Mitarbeiter sprechen
kann ich bitte mit jemandem reden
Mensch bitte
Berater
je veux parler à quelqu'un
un conseiller svp
parler à un humain
Quiero hablar con una persona
agente por favor
necesito un humano
vorrei parlare con un operatore
operatore
ik wil een medewerker spreken
met een mens praten
quero falar com um atendente
atendente
chcę rozmawiać z człowiekiem
konsultant
jag vill prata med en människa
kundtjänst
bir insanla konuşmak istiyorum
müşteri temsilcisi
хочу поговорить с человеком
оператор
позовите живого человека
أريد التحدث مع شخص
موظف
转人工
我要人工客服
オペレーターと話したい
担当者に繋いでください
상담원 연결해주세요
사람과 이야기하고 싶어요
"""

NOT_ASKING = """
I don't want to talk to a person
I do not need an agent
Ich will nicht mit einem Menschen sprechen
no quiero hablar con una persona
je ne veux pas parler à quelqu'un
How many people fit in the tent?
Is this a gift for a person who likes wool?
I need a gift for a person
Can I return it in person?
is the agent of the brand located in Spain and does he sell wool
für wie viele Personen ist das Zelt
personal data
delivery time
Wo ist meine Bestellung
how do I pay
你好
"""


@pytest.mark.parametrize("text", ASKING.strip().splitlines())
def test_asked_in_many_words_and_languages(text: str) -> None:
    assert asks_for_person(text)


@pytest.mark.parametrize("text", [*NOT_ASKING.strip().splitlines(), "", "?!", "🙂"])
def test_not_asked(text: str) -> None:
    assert not asks_for_person(text)
