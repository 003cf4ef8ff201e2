"""Which of the stores for files the settings ask for."""

from __future__ import annotations

from urllib.parse import urlsplit

from warmline.kernel.clock import Clock
from warmline.kernel.errors import SettingsError
from warmline.platform.blobs import Blobs, LocalBlobs
from warmline.platform.blobs_s3 import S3Blobs
from warmline.platform.http import Outgoing
from warmline.platform.s3_signing import S3Key
from warmline.platform.settings import Settings

_PORTS = {"http": 80, "https": 443}


def open_blobs(settings: Settings, clock: Clock) -> Blobs:
    """The folder ``files`` below the data folder, or a bucket.  Raises SettingsError when something is missing for it."""
    if not settings.blobs_url:
        return LocalBlobs(settings.data / "files")
    for name in ("blobs_endpoint", "blobs_key_id", "blobs_secret"):
        if not getattr(settings, name):
            raise SettingsError(f"WARMLINE_BLOBS_URL names a bucket, so WARMLINE_{name.upper()} is needed as well.")
    bucket, endpoint = urlsplit(settings.blobs_url), urlsplit(settings.blobs_endpoint)
    host = f"[{endpoint.hostname}]" if ":" in (endpoint.hostname or "") else endpoint.hostname
    # The operator named this address: a store within the own network needs no second permission.
    outgoing = Outgoing(allow=[f"{host}:{endpoint.port or _PORTS[endpoint.scheme]}"])
    return S3Blobs(
        outgoing,
        clock,
        endpoint=settings.blobs_endpoint,
        bucket=bucket.netloc,
        folder=bucket.path.strip("/"),
        key=S3Key(settings.blobs_key_id, settings.blobs_secret, settings.blobs_region),
    )
