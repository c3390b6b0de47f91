"""A run for other programs: a table of its trials, an Optuna study."""
