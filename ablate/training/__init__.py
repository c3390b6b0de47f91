"""One brief training, the same for every mix: losses, schedule, optimiser, loop."""
