"""STDF V4, the format that testers write: results of wafer sort in and out."""

from waferscope.io.stdf.read import is_stdf, read_stdf

__all__ = ["is_stdf", "read_stdf"]
