"""The report, section by section: each file turns what was found into plain data to be drawn."""
