"""What mixes of a study cost that nobody built: counts and latencies of their parts, added up."""
