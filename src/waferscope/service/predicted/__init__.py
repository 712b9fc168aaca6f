"""Predictions that are kept: their blobs, their rows, and what follows from them.

For whoever predicts stored wafers: uploads, ``POST /predict`` and batches. First the blob
(`draft.draft`), outside of any transaction, then the rows (`keep.keep`), in that of the caller.
"""
