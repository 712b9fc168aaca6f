"""People who may log in, managed by admins."""
