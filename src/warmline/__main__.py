"""``python -m warmline`` is the ``warmline`` command."""

from __future__ import annotations

import sys

from warmline.cli import main

sys.exit(main())
