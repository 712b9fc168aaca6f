"""``python -m waferscope`` is the command line."""

from __future__ import annotations

import sys

from waferscope.cli import main

sys.exit(main())
