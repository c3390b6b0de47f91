"""What was found: the record of a run, and the report made of it; knows no torch."""
