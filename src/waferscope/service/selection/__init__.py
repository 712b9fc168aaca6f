"""Which wafers are meant: the filters that lists, trends and searches share."""
