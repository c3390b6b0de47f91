"""A report, or a paper kit, held against its record: made again, and compared piece by piece."""
