"""What is made of stored wafers to be looked at: pictures, stacked maps, the report of a lot.

Each is cached under what it is made of; a client that has it already is told so.
"""
