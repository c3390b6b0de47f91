"""The question answered in a sentence or two, and the doubts about it."""
