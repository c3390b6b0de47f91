"""Cross-overs of blocks, measured by `ablate crossover`, as the report shows them."""
