"""Predictions that users call wrong, for reviewers to look into."""
