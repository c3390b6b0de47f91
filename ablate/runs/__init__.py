"""A run, from the study to the report: opened, trained, timed; told apart from others; planned."""
