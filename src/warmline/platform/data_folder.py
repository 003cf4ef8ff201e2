"""The data folder: made when it is not there, and refused with a sentence when it cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

from warmline.kernel.errors import SettingsError


def open_data_folder(path: Path) -> None:
    """Make the folder (mode 0700) unless it is there.  Raises SettingsError when this user cannot write into it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _unusable(path, "it, or something on the way to it, is a file") from None
    except OSError as error:
        raise _unusable(path, f"it cannot be made ({error.strerror})") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(path, "this user may not write there")


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(f"WARMLINE_DATA is {path}, but {why}. Name a folder that this user may write to.")
