"""STDF V4, the format that testers write: results of wafer sort in and out."""

from waferscope.io.stdf.read import is_stdf, read_stdf
from waferscope.io.stdf.write import stdf_bytes, stdf_row

__all__ = ["is_stdf", "read_stdf", "stdf_bytes", "stdf_row"]
