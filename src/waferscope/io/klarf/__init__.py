"""KLARF, the format that inspection tools write: defects in, their classes and clusters out."""

from waferscope.io.klarf.read import is_klarf, read_klarf

__all__ = ["is_klarf", "read_klarf"]
