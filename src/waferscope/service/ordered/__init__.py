"""Predictions of many wafers, ordered in the transaction of whoever asks; a worker makes them."""
