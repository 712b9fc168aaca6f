"""Wafers that look alike: the nearest by embedding, with what was found out about them."""
