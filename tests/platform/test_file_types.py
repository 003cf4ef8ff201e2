"""What a file is, told from its bytes whatever it is called, and names that no system stumbles over."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.platform.file_types import (
    EXECUTABLE,
    MAX_NAME,
    SHOWN_INLINE,
    UNKNOWN,
    covers,
    fitting_name,
    safe_name,
    sniff,
)


def zipped(*names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return held.getvalue()


@pytest.mark.parametrize(
    ("head", "name", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "a.txt", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "", "image/jpeg"),
        (b"GIF89a\x01\x00", "", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "", "audio/wav"),
        (b"abcdefghWEBP is a format", "", "text/plain"),
        (b"\x00\x00\x00\x18ftypheic\x00", "", "image/heic"),
        (b"\x00\x00\x00\x18ftypisom\x00", "", "video/mp4"),
        (b"%PDF-1.7\n%\xe2\xe3", "", "application/pdf"),
        (zipped("a.txt"), "a.docx", "application/zip"),
        (
            zipped("[Content_Types].xml", "word/document.xml"),
            "a.zip",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00", "old.xls", "application/vnd.ms-excel"),
        (b"MZ\x90\x00\x03\x00", "picture.png", EXECUTABLE),
        (b"\x7fELF\x02\x01", "", EXECUTABLE),
        (b"MZ is where I live", "letter.txt", "text/plain"),
        (b"BM is a short word", "", "text/plain"),
        (b"echo off", "run.BAT", EXECUTABLE),
        (b"<!DOCTYPE html><p>", "a.png", "text/html"),
        (b"  <SVG xmlns=''>", "a.png", "image/svg+xml"),
        (b"<?xml version='1.0'?><svg/>", "", "image/svg+xml"),
        (b"<?xml version='1.0'?><a/>", "", "text/xml"),
        (b"a,b\n1,2", "table.csv", "text/csv"),
        ("Grüße \U0001f600".encode(), "", "text/plain"),
        (b"\xff\xfeh\x00i\x00", "", "text/plain"),
        (b"\x00\x01\x02", "a.png", "application/octet-stream"),
        (b"caf\xe9", "", "application/octet-stream"),
        (("\u20ac" * 2_000).encode()[:4_096], "", "text/plain"),
    ],
)
def test_the_bytes_tell_what_it_is(head: bytes, name: str, media_type: str) -> None:
    assert sniff(head, name) == media_type


@given(st.binary(max_size=200), st.text(max_size=20))
def test_nothing_that_could_run_is_ever_taken_for_a_picture(head: bytes, name: str) -> None:
    if sniff(b"<html>" + head, name) in SHOWN_INLINE or sniff(b"MZ\x00" + head, name) in SHOWN_INLINE:
        raise AssertionError(head)
    assert sniff(head, name)


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("C:\\Users\\me\\report.pdf", "C_Users_me_report.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("a\x00b\r\n.txt", "a_b_.txt"),
        ("  ...  ", "file"),
        ("", "file"),
        ("Grüße 😀.png", "Grüße 😀.png"),
        ("x" * 300 + ".jpeg", "x" * (MAX_NAME - 5) + ".jpeg"),
    ],
)
def test_names_are_made_harmless(given_name: str, name: str) -> None:
    assert safe_name(given_name) == name


@given(st.text(max_size=400))
def test_no_name_is_long_empty_or_a_path(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name) <= MAX_NAME
    assert not set(name) & set('/\\\0\r\n"<>|:*?')
    assert not name.startswith(".")
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "ending",
    [
        "js",
        "jse",
        "vbs",
        "wsf",
        "hta",
        "lnk",
        "scr",
        "cpl",
        "reg",
        "ps1",
        "msi",
        "jar",
        "url",
        "chm",
        "iso",
        "scf",
        "Js",
    ],
)
def test_what_systems_run_by_its_name_is_nothing_else(ending: str) -> None:
    assert sniff(b"\x89PNG\r\n\x1a\n\x00", f"lamp.{ending}") == EXECUTABLE
    assert sniff(b"just words", safe_name(f"lamp.{ending} .")) == EXECUTABLE


@pytest.mark.parametrize(
    ("name", "media_type", "fitting"),
    [
        ("lamp.html", "image/png", "lamp.png"),
        ("lamp.SVG", "image/jpeg", "lamp.jpg"),
        ("lamp.png", "image/webp", "lamp.webp"),
        ("lamp.JPEG", "image/jpeg", "lamp.JPEG"),
        ("scan 2026.11", "image/png", "scan 2026.11.png"),
        ("lamp", "image/png", "lamp"),
        ("page.html", "text/html", "page.html"),
        ("table.xls", "text/html", "table.xls"),
        ("page.html", "text/plain", "page.txt"),
        ("page.xhtml", "application/zip", "page.zip"),
        ("page.htm", UNKNOWN, "page.bin"),
        ("film.svg", "video/mp4", "film.bin"),
        ("notes.log", "text/plain", "notes.log"),
        ("feed.xml", "text/xml", "feed.xml"),
        ("x" * (MAX_NAME - 4) + ".htm", "image/jpeg", "x" * (MAX_NAME - 4) + ".jpg"),
        ("x" * (MAX_NAME - 3) + ".ab", "image/jpeg", "x" * (MAX_NAME - 4) + ".jpg"),
    ],
)
def test_a_name_s_ending_fits_what_the_file_is(name: str, media_type: str, fitting: str) -> None:
    assert fitting_name(name, media_type) == fitting
    assert fitting_name(fitting, media_type) == fitting


def test_patterns_cover_types() -> None:
    assert covers(("image/*",), "image/png")
    assert not covers(("image/*",), "application/pdf")
    assert not covers((), "image/png")
