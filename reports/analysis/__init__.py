"""Pure functions on arrays and tables: what measured numbers say, and how surely."""
