"""Keeping an installation well: backup, restore, and the check for what has come loose."""
