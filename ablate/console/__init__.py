"""How commands speak to people and programs: words, tables, lines, live bars."""
