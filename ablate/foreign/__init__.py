"""Networks of people who do not use this package: found in files, run, and their outputs read."""
