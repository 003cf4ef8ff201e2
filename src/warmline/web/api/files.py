"""``/api/v1/conversations/{id}/files``: a file for a message to come, and how files are told of."""

from __future__ import annotations

from typing import Annotated, Any, cast

from litestar import Request, post
from litestar.params import FromPath, HeaderParameter

from warmline.accounts.access import Scope
from warmline.kernel.errors import Conflict, TooLarge
from warmline.web.api.conversations import find
from warmline.web.api.door import Call
from warmline.web.problems import Receive
from warmline.web.uploads import NAME_HEADER, Upload, UploadedFile, uploaded

_UPLOAD = {"scope": Scope.AGENTS_SPEAK, "problems": (409, 503), "body": bytes}


@post(
    "/conversations/{conversation_id:str}/files",
    operation_id="uploadConversationFile",
    summary="Upload a file",
    tags=["Conversations"],
    opt=_UPLOAD,
    request_max_body_size=None,
)
async def upload_file(
    call: Call,
    request: Request[Any, Any, Any],
    conversation_id: FromPath[str],
    x_file_name: Annotated[
        str,
        HeaderParameter(name=NAME_HEADER, description="The file's name, percent-encoded.", pattern="^[!-~]{1,2000}$"),
    ],
) -> UploadedFile:
    """The body is the file itself.  A message then names its id in `attachments`.

    A file that no message names within a day is deleted.  409 `closed`, `too_many_files`; 413 `file_too_large`.
    """
    del x_file_name  # read by the upload, like everywhere
    state, _seq = await find(call, conversation_id)
    if state.status != "open":
        raise Conflict("The conversation is closed.", code="closed")
    upload = Upload(dict(request.scope), cast("Receive", request.receive), limit=call.at.attachments.policy.max_bytes)
    try:
        return uploaded(await call.at.attachments.receive(conversation_id, upload.name, upload.chunks()))
    except TooLarge as error:
        raise await upload.drain(error) from None


HANDLERS = (upload_file,)
