"""The audit trail, for admins to read; nobody changes it."""
