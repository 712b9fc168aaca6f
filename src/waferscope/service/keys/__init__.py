"""API keys for testers and other programs, managed by admins."""
