"""Figures by matplotlib: the same for the report, for notebooks and for a paper's columns."""
