"""KLARF, the format that inspection tools write: defects in, their classes and clusters out."""

from waferscope.io.klarf.read import is_klarf, read_klarf
from waferscope.io.klarf.write import klarf_bytes, klarf_marked_row, klarf_row

__all__ = ["is_klarf", "klarf_bytes", "klarf_marked_row", "klarf_row", "read_klarf"]
