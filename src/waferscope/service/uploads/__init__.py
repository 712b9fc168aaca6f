"""Files that arrive: taken in whole or not at all, kept, and cut into wafers."""
