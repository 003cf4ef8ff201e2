"""``POST /in/{connection_id}``: where vendors report.  Checked over the raw bytes, stored, answered; worked off later."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import parse_qsl

from warmline.handover.port import InboundDelivery, InboundReply
from warmline.kernel.clock import Clock
from warmline.kernel.errors import NotFound
from warmline.kernel.ids import is_uuid
from warmline.web.front import RawRoute
from warmline.web.openapi_operation import Operation, Parameter
from warmline.web.problems import JSON, NO_STORE, Receive, Scope, Send, check_depth, read_body, send_bytes

PREFIX = "/in/"
MAX_BODY = 1024 * 1024


class Deliveries(Protocol):
    """Who takes what vendors report; see ``handover.inbox``."""

    async def receive(self, connection_id: str, delivery: InboundDelivery) -> InboundReply | None: ...


class Ingress:
    """The one address per connection that vendors post to."""

    def __init__(self, inbox: Deliveries, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock

    def routes(self) -> list[RawRoute]:
        """The route, for the front."""
        return [RawRoute(path=PREFIX, method="POST", handler=self.post, prefix=True, operation=_OPERATION)]

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One delivery."""
        connection_id: str = scope["path"][len(PREFIX) :]
        if not is_uuid(connection_id):
            raise NotFound("There is no such connection.")
        body = await read_body(receive, MAX_BODY)
        check_depth(body)
        delivery = InboundDelivery(
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            received_at=self._clock.now(),
        )
        reply = await self._inbox.receive(connection_id, delivery)
        if reply is None:
            await send_bytes(send, 200, b"{}", [JSON, NO_STORE])
            return
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
        await send_bytes(send, reply.status, reply.body, [*headers, NO_STORE])


_OPERATION = Operation(
    id="receiveDelivery",
    path="/in/{connection_id}",
    summary="Take a helpdesk's report",
    description=(
        "The webhook address of a connection, for the vendor's own events: their form and signature are the vendor's. "
        "Answered as soon as the delivery is stored."
    ),
    tags=("Helpdesks",),
    request=None,
    responses={200: dict[str, Any]},
    problems=(400, 401, 404, 413),
    parameters=(Parameter(name="connection_id", where="path", description="The connection's id.", required=True),),
    security=(),
)
