"""Substrate and wafer maps in XML by SEMI: E142 and G85."""

from waferscope.io.semi.e142 import is_e142, read_e142
from waferscope.io.semi.g85 import is_g85, read_g85
from waferscope.io.semi.write import e142_bytes, e142_row, g85_bytes, g85_row

__all__ = [
    "e142_bytes",
    "e142_row",
    "g85_bytes",
    "g85_row",
    "is_e142",
    "is_g85",
    "read_e142",
    "read_g85",
]
