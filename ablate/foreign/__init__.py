"""Networks of people who do not use this package: found in their files, and made."""
