"""A small S3-like server: one bucket, and signatures checked from AWS's description, not with our signer."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web
from tests.support.server import serving

KEY_ID, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


@dataclass
class Bucket:
    """``objects`` by their path below the bucket; ``broken`` answers that status to everything."""

    base: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    broken: int = 0
    knows_ranges: bool = True
    ranges: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.broken:
            return web.Response(status=self.broken)
        if not _is_signed(request, body):
            return web.Response(status=403, text="<Error><Code>SignatureDoesNotMatch</Code></Error>")
        key = request.match_info["key"]
        if request.method == "PUT":
            self.objects[key] = body
            return web.Response()
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if key not in self.objects:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        return self._read(self.objects[key], request.headers.get("Range", ""))

    def _read(self, content: bytes, wanted: str) -> web.Response:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)
        if found is None or not self.knows_ranges:
            return web.Response(body=content)
        self.ranges.append(wanted)
        start, end = int(found[1]), min(int(found[2]), len(content) - 1)
        if start >= len(content):
            return web.Response(status=416)
        told = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
        return web.Response(status=206, body=content[start : end + 1], headers=told)


def _is_signed(request: web.Request, body: bytes) -> bool:
    found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if found is None or (found[1], found[3]) != (KEY_ID, REGION):
        return False
    day, names, signature = found[2], found[4], found[5]
    stamp, digest = request.headers["x-amz-date"], request.headers["x-amz-content-sha256"]
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";")) or not stamp.startswith(day):
        return False
    if digest != hashlib.sha256(body).hexdigest():
        return False
    lines = [request.method, request.raw_path, ""]
    lines += [f"{name}:{request.headers[name].strip()}" for name in names.split(";")]
    lines += ["", names, digest]
    hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = b"AWS4" + SECRET.encode()
    for word in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    told = f"AWS4-HMAC-SHA256\n{stamp}\n{day}/{REGION}/s3/aws4_request\n{hashed}"
    return hmac.compare_digest(hmac.new(key, told.encode(), hashlib.sha256).hexdigest(), signature)


@contextlib.asynccontextmanager
async def running_bucket() -> AsyncIterator[Bucket]:
    """The server, on a loopback port, with the bucket ``chat``."""
    bucket = Bucket()
    application = web.Application(client_max_size=64 << 20)
    application.router.add_route("*", "/chat/{key:.+}", bucket.answer)
    async with serving(application) as bucket.base:
        yield bucket
