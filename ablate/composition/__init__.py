"""What mixes cost that nobody built: measured stages and a few whole networks, added up."""
