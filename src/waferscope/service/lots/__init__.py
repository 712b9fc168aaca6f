"""Lots: what their wafers add up to."""
