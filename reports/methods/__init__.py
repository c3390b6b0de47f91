"""How a run was made, in the words of a methods section: data, training, measuring, sources."""
