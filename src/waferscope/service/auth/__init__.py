"""Who asks: passwords, tokens, cookies, keys, roles, and the types that carry authority."""
