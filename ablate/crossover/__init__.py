"""Blocks against one another as resolution, width and batch grow: laws, and where they cross."""
