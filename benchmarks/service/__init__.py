"""How fast and how large the service is, beside the library and a bare route."""
