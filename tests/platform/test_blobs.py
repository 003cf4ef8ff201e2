"""Both stores for files keep one promise; the bucket's requests are signed as AWS describes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.platform.bucket import KEY_ID, REGION, SECRET, Bucket, running_bucket

from warmline.kernel.clock import SystemClock
from warmline.kernel.errors import NotFound, SettingsError, Unavailable
from warmline.platform.blobs import Blobs, LocalBlobs, read_whole
from warmline.platform.blobs_place import open_blobs
from warmline.platform.blobs_s3 import S3Blobs
from warmline.platform.s3_signing import EMPTY_SHA256, S3Key, encoded_path, signed_headers
from warmline.platform.settings import Settings, load_settings

KEY = "01a1ff2e-64de-704d-8d50-19c3a4bf388d"


def settings_for(folder: Path, bucket: Bucket, **more: str) -> Settings:
    named = {
        "WARMLINE_DATA": str(folder),
        "WARMLINE_BLOBS_URL": "s3://chat/warm line",
        "WARMLINE_BLOBS_ENDPOINT": bucket.base,
        "WARMLINE_BLOBS_REGION": REGION,
        "WARMLINE_BLOBS_KEY_ID": KEY_ID,
        "WARMLINE_BLOBS_SECRET": SECRET,
    }
    return load_settings(named | more, None)


@pytest_asyncio.fixture(params=["folder", "bucket", "bucket without ranges"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "folder":
            yield LocalBlobs(tmp_path / "files")
            return
        bucket = await stack.enter_async_context(running_bucket())
        bucket.knows_ranges = request.param == "bucket"
        store = open_blobs(settings_for(tmp_path, bucket), SystemClock())
        stack.push_async_callback(store.stop)
        yield store


def source(folder: Path, content: bytes) -> Path:
    path = folder / "incoming"
    path.write_bytes(content)
    return path


async def test_what_is_put_is_read_until_it_is_deleted(blobs: Blobs, tmp_path: Path) -> None:
    content = os.urandom(700_000)
    await blobs.put(KEY, source(tmp_path, content))
    assert await read_whole(blobs, KEY) == content
    await blobs.delete(KEY)
    with pytest.raises(NotFound):
        await read_whole(blobs, KEY)
    await blobs.delete(KEY)


async def test_a_second_put_replaces_the_first(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(KEY, source(tmp_path, b"one"))
    await blobs.put(KEY, source(tmp_path, b"two"))
    assert await read_whole(blobs, KEY) == b"two"


async def test_the_check_says_where_and_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    assert "takes files." in await blobs.check()
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (2 << 20) + 5])
async def test_a_large_object_comes_in_pieces(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    async with running_bucket() as bucket:
        store = open_blobs(settings_for(tmp_path, bucket), SystemClock())
        await store.put(KEY, source(tmp_path, content))
        assert list(bucket.objects) == [f"warm line/{KEY}"]
        assert await read_whole(store, KEY) == content
        assert len(bucket.ranges) == -(-size // (1 << 20))
        await store.stop()


@pytest.mark.parametrize("answer", [403, 500, 503])
async def test_a_bucket_in_trouble_is_unavailable_and_says_why(tmp_path: Path, answer: int) -> None:
    async with running_bucket() as bucket:
        store = open_blobs(settings_for(tmp_path, bucket), SystemClock())
        bucket.broken = answer
        with pytest.raises(Unavailable, match=str(answer)):
            await store.put(KEY, source(tmp_path, b"x"))
        with pytest.raises(Unavailable, match=str(answer)):
            await read_whole(store, KEY)
        with pytest.raises(Unavailable, match=str(answer)):
            await store.delete(KEY)
        with pytest.raises(Unavailable, match=str(answer)):
            await store.check()
        await store.stop()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await store.check()
    await store.stop()


async def test_a_wrong_secret_is_not_let_in(tmp_path: Path) -> None:
    async with running_bucket() as bucket:
        store = open_blobs(settings_for(tmp_path, bucket, WARMLINE_BLOBS_SECRET="another"), SystemClock())
        with pytest.raises(Unavailable, match="403"):
            await store.put(KEY, source(tmp_path, b"x"))
        assert bucket.objects == {}
        await store.stop()


async def test_a_folder_that_takes_nothing_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("not a folder")
    store = LocalBlobs(tmp_path / "files")
    with pytest.raises(Unavailable, match="takes no files"):
        await store.check()
    with pytest.raises(Unavailable, match="cannot be stored"):
        await store.put(KEY, source(tmp_path, b"x"))


async def test_a_key_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    store = LocalBlobs(tmp_path / "files")
    for key in ("../../etc/passwd", "a/b", "", "A" * 8):
        with pytest.raises(ValueError, match=r".*"):
            await store.put(key, source(tmp_path, b"x"))


@pytest.mark.parametrize("name", ["WARMLINE_BLOBS_ENDPOINT", "WARMLINE_BLOBS_KEY_ID", "WARMLINE_BLOBS_SECRET"])
def test_a_bucket_that_is_set_by_half_stops_the_start(tmp_path: Path, name: str) -> None:
    settings = settings_for(tmp_path, Bucket(base="https://s3.example"), **{name: ""})
    with pytest.raises(SettingsError, match=name):
        open_blobs(settings, SystemClock())


def test_the_kind_of_store_follows_the_settings(tmp_path: Path) -> None:
    bucket = Bucket(base="https://s3.example")
    assert isinstance(open_blobs(settings_for(tmp_path, bucket), SystemClock()), S3Blobs)
    assert isinstance(open_blobs(settings_for(tmp_path, bucket, WARMLINE_BLOBS_URL=""), SystemClock()), LocalBlobs)


# The examples of AWS's page "Signature Calculations for the Authorization Header" (Amazon S3 API reference).
_AWS = S3Key("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
_AT = 1_369_353_600_000


def test_a_get_is_signed_as_in_the_published_example() -> None:
    headers = signed_headers(
        _AWS,
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        headers={"Range": "bytes=0-9"},
        payload_sha256=EMPTY_SHA256,
        at=_AT,
    )
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_a_put_is_signed_as_in_the_published_example() -> None:
    headers = signed_headers(
        _AWS,
        "PUT",
        "examplebucket.s3.amazonaws.com",
        encoded_path("test$file.text"),
        headers={"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
        payload_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        at=_AT,
    )
    assert headers["Authorization"].endswith(
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    )
