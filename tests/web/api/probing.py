"""Requests made from the OpenAPI document, good and bad; loading Schemathesis takes a second, so one test loads this."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import requests
import schemathesis
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok
from tests.support.node import Stage
from tests.web.api.asking import client, connect, new_key
from tests.web.api.test_api_set_up import park, until_some

EXAMPLES = {GenerationMode.POSITIVE: 6, GenerationMode.NEGATIVE: 6}
ALWAYS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
WIRE = ("sendMessageToWidget", "converseChat")
# A body can be well-formed and still be refused, where it names other things or a form of its own rules over it.
REFUSABLE = {
    *WIRE,
    "listBots",
    "listContacts",
    "listConversations",
    "listParked",
    "createConnection",
    "changeConnection",
    "createConnectionKey",
    "createKey",
    "createWidget",
    "changeWidget",
    "postActivity",
    "postMessage",
    "rotateConnectionSecret",
    "uploadConversationFile",
}


@dataclass
class Known:
    """What exists: without it every answer would be a refusal.

    ``ids`` are taken in turn, by the name of the path parameter; ``places`` (path) and ``bodies`` (fields that name
    other things) are fixed for one operation.
    """

    ids: dict[str, list[str]]
    places: dict[str, dict[str, str]]
    bodies: dict[str, dict[str, Any]]


async def furnish_more(stage: Stage) -> Known:
    """Conversations in every state, and spare things that may be broken."""
    api = client(stage)
    talking, idle, left, gone, spoken = [await stage.visit() for _ in range(5)]
    await connect(stage, talking)
    await connect(stage, spoken)
    epoch = (await stage.state(spoken)).owner_epoch
    message = await park(stage, talking, "Is it oak?")
    await stage.frame(left, frame="contact", name="Noor", email="noor@example.net", phone="", text="Call")
    await api.post(f"/conversations/{gone}/close")
    contact = (await until_some(api, "/contacts"))[0]["id"]
    widget = await api.post("/widgets", {"name": "Spare", "bot_id": stage.bot_id})
    wanted = {"kind": "customcrm", "name": "Spare", "settings": {"webhook_url": stage.crm.url}}
    spare = (await api.post("/connections", wanted))["connection"]["id"]
    elsewhere = {"url": f"{stage.crm.url}-of-a-bot", "ladder_of_widget": stage.widget_id}
    wanted = {"kind": "open", "name": "Elsewhere", "settings": elsewhere, "bot_ids": []}
    elsewhere_id = (await api.post("/connections", wanted))["connection"]["id"]
    wire = await api.post(f"/connections/{spare}/keys", {"label": "Spare"})
    key = await api.post("/keys", {"label": "Spare", "scopes": ["audit:read"]})
    ids = {
        "conversation_id": [talking, idle, gone],
        "message_id": [message],
        "contact_id": [contact],
        "widget_id": [widget["id"]],
        "connection_id": [spare],
        "bot_id": [stage.bot_id],
        "key_id": [key["key"]["id"], wire["key"]["id"]],
        "name": ["signing_secret"],
    }
    of_connection = {"key_id": wire["key"]["id"]}
    places = {
        "postMessage": {"conversation_id": spoken},
        "uploadConversationFile": {"conversation_id": spoken},
        "resendParked": {"conversation_id": talking},
        "postActivity": {"connection_id": elsewhere_id},
        "rotateConnectionKey": of_connection,
        "revokeConnectionKey": of_connection,
    }
    shop = {"bot_id": stage.bot_id, "allowed_origins": ["https://shop.example"], "ladder": []}
    bodies = {
        "postMessage": {"owner_epoch": epoch, "text": "It is oak.", "attachments": []},
        "createWidget": shop,
        "changeWidget": shop,
        "createConnection": {"kind": "customcrm", "name": "New", "settings": {"webhook_url": stage.crm.url}},
        "createKey": {"label": "New", "expires_at": None},
        "postActivity": {"conversation": {"id": "theirs"}, "id": None, "attachments": []},
    }
    return Known(ids, places, bodies)


class Prober:
    """Sends what Schemathesis makes up, and has every answer checked."""

    def __init__(self, stage: Stage, document: dict[str, Any], known: Known) -> None:
        self._stage = stage
        self._known = known
        self._schema = schemathesis.openapi.from_dict(document)
        self._ids = {name: itertools.cycle(values) for name, values in known.ids.items()}
        self.statuses: dict[str, set[int]] = {}

    def operations(self) -> Iterator[Any]:
        """Every operation of the API and of the custom CRM's wire."""
        for result in self._schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            name = operation.definition.raw["operationId"]
            if operation.path.startswith("/api/v1/") or name in WIRE:
                yield name, operation

    def probe(self, name: str, operation: Any, mode: GenerationMode) -> None:
        """A few requests to one operation."""
        wanted = list(ALWAYS)
        if mode is GenerationMode.NEGATIVE and name not in WIRE:
            wanted.append(checks.negative_data_rejection)
        if mode is GenerationMode.POSITIVE and name not in REFUSABLE:
            wanted.append(checks.positive_data_acceptance)

        @hypothesis.settings(
            max_examples=EXAMPLES[mode],
            derandomize=True,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def run(case: schemathesis.Case) -> None:
            self._use_ids(name, case)
            if mode is GenerationMode.POSITIVE:
                self._make_sense(name, case)
            response = case.call(base_url=self._stage.base, headers=self._headers(name), session=session)
            self.statuses.setdefault(name, set()).add(response.status_code)
            case.validate_response(response, checks=wanted)

        with requests.Session() as session:
            try:
                run()
            except hypothesis.errors.Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, name  # an operation without input has no bad input

    def _use_ids(self, operation: str, case: schemathesis.Case) -> None:
        for name in case.path_parameters or {}:
            fixed = self._known.places.get(operation, {})
            case.path_parameters[name] = fixed.get(name) or next(self._ids[name])

    def _make_sense(self, operation: str, case: schemathesis.Case) -> None:
        if isinstance(case.body, dict):
            case.body |= self._known.bodies.get(operation, {})
        if case.headers and "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = new_key()  # the same one twice means the same request twice

    def _headers(self, name: str) -> dict[str, str]:
        if name in WIRE:
            return {"Authorization": self._stage.wire_key, "botid": self._stage.bot_id}
        return {"Authorization": f"Bearer {self._stage.v1_key}"}
