"""Wafers: found, looked at, deleted and restored."""
