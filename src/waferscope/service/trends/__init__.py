"""How often each class is found, lot by lot or day by day, within control limits."""
