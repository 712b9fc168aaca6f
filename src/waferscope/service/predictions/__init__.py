"""What the model says of wafers, asked for one by one, and what it said of those that are kept."""
