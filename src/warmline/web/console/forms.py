"""What people typed: reading url-encoded bodies, and showing them again with what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from warmline.kernel.errors import Forbidden, Invalid, TooLarge, WarmlineError

if TYPE_CHECKING:
    from litestar import Request

MAX_BODY = 64 * 1024
_MAX_FIELDS = 200


class Form:
    """The fields of one submission, and the sentence under each that was refused."""

    def __init__(self, pairs: list[tuple[str, str]] | None = None, errors: dict[str, str] | None = None) -> None:
        self._pairs = pairs or []
        self.errors = errors or {}

    def text(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return next((value for key, value in self._pairs if key == name), default)

    def texts(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self._pairs if key == name]

    def error(self, name: str) -> str:
        """What was wrong with a field, or ``""``."""
        return self.errors.get(name, "")

    def with_error(self, error: WarmlineError) -> Form:
        """The same fields with the error under the one its ``path`` names; key ``""`` holds what fits no field."""
        path = str(error.fields.get("path", "$"))
        return Form(self._pairs, {**self.errors, path.removeprefix("$").removeprefix("."): error.detail})

    def checked(self, *checks: Callable[[], object]) -> Form:
        """The same fields with the error of every check that refuses: people put right all of them at once."""
        form = self
        for check in checks:
            try:
                check()
            except (Invalid, Forbidden) as error:
                form = form.with_error(error)
        return form


def field_id(name: str) -> str:
    """The id that a field's element has on every page, so that a summary can lead to it."""
    return "field-" + name.replace("]", "").replace("[", "-").replace(".", "-")


async def read_form(request: Request[Any, Any, Any], limit: int = MAX_BODY) -> Form:
    """The submitted form.  Raises Invalid for another media type or an unreadable body, TooLarge above ``limit`` bytes."""
    if request.content_type[0] not in {"application/x-www-form-urlencoded", ""}:
        raise Invalid("A form is sent url-encoded.", code="form_type")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise _unreadable() from None
    if any("\x00" in value for _, value in pairs):
        raise _unreadable()  # nobody can type it, and PostgreSQL cannot store it
    return Form(pairs)


def _unreadable() -> Invalid:
    return Invalid("The form cannot be read.", code="form_unreadable")
