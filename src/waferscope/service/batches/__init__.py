"""Predictions of many wafers as jobs: asked for, followed, cancelled, fetched."""
