"""What a pattern turned out to be: notes that the next search for similar wafers brings up."""
