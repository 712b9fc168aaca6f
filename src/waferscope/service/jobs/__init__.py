"""Jobs: what a worker does, step by step, so that a killed one goes on where it was."""
