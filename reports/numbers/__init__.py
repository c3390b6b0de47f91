"""A record as numbers: one table, a row per mix, and what sections ask of it."""
