"""The part for files, made as the settings say."""

from __future__ import annotations

from warmline.conversations.attachments import Attachments, FilePolicy
from warmline.journal.journal import Journal
from warmline.kernel.clock import Clock
from warmline.platform.blobs_place import open_blobs
from warmline.platform.scanning import CommandScan, no_scan
from warmline.platform.settings import Settings


def open_attachments(settings: Settings, journal: Journal, clock: Clock) -> Attachments:
    """Raises SettingsError when the store for files is set half."""
    policy = FilePolicy(
        max_bytes=settings.max_file_bytes, allowed=settings.allowed_file_types, refused=settings.refused_file_types
    )
    scan = CommandScan(settings.scan_command, within_s=settings.scan_within_s) if settings.scan_command else no_scan
    blobs = open_blobs(settings, clock)
    return Attachments(journal, clock, blobs, policy, incoming=settings.data / "incoming", scan=scan)
