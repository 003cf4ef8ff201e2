"""AWS Signature Version 4 for requests to S3-compatible stores: the published algorithm over one request's headers.

Source: "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", Amazon S3 API
reference (read 2026-11); its examples are the tests.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class S3Key:
    """An access key, and the region that its requests are signed for."""

    id: str
    secret: str = field(repr=False)
    region: str


def signed_headers(
    key: S3Key, method: str, host: str, path: str, *, headers: Mapping[str, str], payload_sha256: str, at: int
) -> dict[str, str]:
    """``headers`` with those that authorise the request; ``host`` is signed but not among them.

    ``path`` is the path as it is requested, already encoded; there is no query.  ``at`` is in milliseconds.
    """
    moment = datetime.fromtimestamp(at // 1000, UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    every = {**headers, "x-amz-content-sha256": payload_sha256, "x-amz-date": stamp}
    lower = {name.lower(): " ".join(value.split()) for name, value in every.items()} | {"host": host}
    names = ";".join(sorted(lower))
    canonical = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
    request = f"{method}\n{path}\n\n{canonical}\n{names}\n{payload_sha256}"
    scope = f"{day}/{key.region}/s3/aws4_request"
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    signing = f"AWS4{key.secret}".encode()
    for part in (day, key.region, "s3", "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.digest(signing, to_sign.encode(), "sha256").hex()
    every["Authorization"] = f"{_ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return every


def encoded_path(*parts: str) -> str:
    """The path of an object, encoded as the signature wants it: once, and slashes within a part stay."""
    return "/" + "/".join(quote(part, safe="/-_.~") for part in parts if part)
