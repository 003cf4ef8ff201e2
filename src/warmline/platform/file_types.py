"""What a file is, told from its bytes, and what it may be called.  What the sender says of it is a hint at most."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase

HEAD_BYTES = 4_096
"""So much of the beginning is looked at."""
EXECUTABLE = "application/x-executable"
UNKNOWN = "application/octet-stream"
SHOWN_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Pictures that a browser draws and never runs.  Everything else (HTML, SVG and PDF above all) is only ever a download."""
MAX_NAME = 120

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\x00\x00\x01\x00", "image/vnd.microsoft.icon"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"MZ", EXECUTABLE),
    (0, b"\x7fELF", EXECUTABLE),
    (0, b"\xfe\xed\xfa\xce", EXECUTABLE),
    (0, b"\xfe\xed\xfa\xcf", EXECUTABLE),
    (0, b"\xce\xfa\xed\xfe", EXECUTABLE),
    (0, b"\xcf\xfa\xed\xfe", EXECUTABLE),
    (0, b"\xca\xfe\xba\xbe", EXECUTABLE),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
}
# Both are zip files; the first entries' names, which stand in clear at the beginning, tell which.
_IN_ZIP: tuple[tuple[bytes, str], ...] = (
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"),
    (b"mimetypeapplication/epub+zip", "application/epub+zip"),
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_OFFICE = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
}
_TEXTS = {"csv": "text/csv", "md": "text/markdown", "json": "application/json", "ics": "text/calendar"}
# Systems run these by their name, mount them, or follow where they lead, whatever stands in them.
_RUN_BY_NAME = frozenset(
    """
    exe dll com scr pif sys drv ocx cpl bat cmd msi msp mst msix msixbundle appx appxbundle application appref-ms gadget
    ps1 ps1xml psm1 psc1 msh vb vbs vbe js jse mjs ws wsf wsh wsc sct hta chm hlp msc inf ins reg job theme xll
    lnk url scf website webloc desktop library-ms search-ms searchconnector-ms settingcontent-ms diagcab iqy
    iso img vhd vhdx udf dmg jar jnlp class apk app pkg mpkg command workflow action sh csh run appimage deb rpm
    """.split()  # noqa: SIM905 - ninety lines otherwise
)
# What a browser runs when a downloaded file is opened.
_RUN_BY_BROWSERS = frozenset(
    ["html", "htm", "xhtml", "xht", "shtml", "svg", "svgz", "xml", "xsl", "xslt", "mht", "mhtml", "swf"]
)
# The endings of a type, the usual one first.  Only of those that cannot be called anything else with good reason.
_ENDINGS = {
    "image/png": ("png", "apng"),
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/bmp": ("bmp", "dib"),
    "image/tiff": ("tiff", "tif"),
    "image/heic": ("heic", "heif"),
    "image/heif": ("heif", "heic"),
    "image/avif": ("avif",),
    "application/pdf": ("pdf",),
    "text/html": ("html", "htm", "xhtml", "xht", "shtml", "xml", "mht", "mhtml", "xls", "doc"),
    "text/xml": ("xml", "xhtml", "xht", "xsl", "xslt"),
    "image/svg+xml": ("svg", "xml"),
}
_OTHERWISE = {"text/plain": "txt", "application/zip": "zip", "application/gzip": "gz"}
_PICTURE_ENDINGS = frozenset(one for kind, every in _ENDINGS.items() if kind.startswith("image/") for one in every)
_MARKUP = re.compile(rb"<(?:!doctype html|html|head|body|script|iframe|svg|\?xml|!--)", re.IGNORECASE)
_BREAKS = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")


def sniff(head: bytes, name: str = "") -> str:
    """The media type of a file that begins with ``head``; ``name`` decides only between types of one form."""
    extension = name.rpartition(".")[2].lower()
    if extension in _RUN_BY_NAME:
        return EXECUTABLE
    text = _text(head, extension)
    found = _by_magic(head, least=3 if text else 2)
    if found == "application/zip":
        return _in_zip(head, extension)
    if found == "application/x-ole-storage":
        return _OFFICE.get(extension, found) if extension in {"doc", "xls", "ppt", "msg"} else found
    return found or text or UNKNOWN


def is_picture(media_type: str) -> bool:
    """Whether it may be shown in place."""
    return media_type in SHOWN_INLINE


def safe_name(name: str) -> str:
    """A file name that no system takes for anything else: one part, no control or direction marks, not too long."""
    name = unicodedata.normalize("NFC", name)
    # Format characters turn text around: "exe.gpj" can be made to look like a picture.
    name = "".join(one for one in name if unicodedata.category(one) not in {"Cf", "Cs", "Co", "Cn"})
    name = _BREAKS.sub("_", name).strip(" ._")
    stem, dot, extension = name.rpartition(".")
    if dot and stem and len(extension) <= 10:
        return f"{stem[: MAX_NAME - len(extension) - 1]}.{extension}"
    return name[:MAX_NAME] or "file"


def fitting_name(name: str, media_type: str) -> str:
    """A safe name whose ending does not say what the file is not: no picture is called ``.html``, no text ``.svg``."""
    stem, dot, ending = name.rpartition(".")
    known = _ENDINGS.get(media_type, ())
    ending = ending.lower() if dot else ""
    if not ending or ending in known:
        return name
    if media_type.startswith("image/") and known:
        right = known[0]
    elif ending in _RUN_BY_BROWSERS:
        right = known[0] if known else _OTHERWISE.get(media_type, "bin")
    else:
        return name
    if ending not in _RUN_BY_BROWSERS | _PICTURE_ENDINGS:
        stem = name
    return f"{stem[: MAX_NAME - len(right) - 1]}.{right}"


def covers(patterns: Sequence[str], media_type: str) -> bool:
    """Whether one of the patterns (``image/*``) covers the type."""
    return any(fnmatchcase(media_type, pattern) for pattern in patterns)


def _by_magic(head: bytes, *, least: int) -> str:
    """By the first bytes.  Two letters (BM, MZ) may also begin a text, so there at least three have to agree."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "")
    for place, magic, media_type in _MAGIC:
        if len(magic) >= least and head.startswith(magic, place):
            return media_type
    return ""


def _in_zip(head: bytes, extension: str) -> str:
    for mark, media_type in _IN_ZIP:
        if mark in head:
            return media_type
    # Some writers put the telling entries further behind.
    if b"[Content_Types].xml" in head and extension in {"docx", "xlsx", "pptx"}:
        return _OFFICE[extension]
    return "application/zip"


def _text(head: bytes, extension: str) -> str:
    """The kind of text it is, "" for none."""
    if not head:
        return "text/plain"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text/plain"
    try:
        # A character may be cut in two at the end of what is looked at.
        decoded = head[: len(head) - 3 if len(head) == HEAD_BYTES else None].decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD_BYTES or error.start < HEAD_BYTES - 8:
            return ""
        decoded = head[: error.start].decode()
    if any(one < " " and one not in "\t\n\r\f\x1b" for one in decoded):
        return ""
    if found := _MARKUP.search(head[:1_024]):
        if b"<svg" in head.lower():
            return "image/svg+xml"
        return "text/xml" if found[0].lower() == b"<?xml" and b"<html" not in head.lower() else "text/html"
    return _TEXTS.get(extension, "text/plain")
