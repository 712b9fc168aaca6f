"""How long wafers are kept, by product: rules that admins set and the worker applies."""
