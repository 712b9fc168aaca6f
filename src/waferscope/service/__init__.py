"""The service: people, wafers, predictions and jobs over HTTP.

``app`` puts it together. Each noun is a folder of the same three files: ``routes`` (what is asked
and answered), ``schemas`` (its shapes) and ``store`` (its SQL). Nouns do not know each other; what
they share lies beside them: settings, records, blobs, cache, errors, telemetry, auth.
"""
