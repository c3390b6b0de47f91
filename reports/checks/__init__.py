"""What is wrong with a run, most important first."""
