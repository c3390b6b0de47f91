"""Whether a short training is a fair judge of mixes: by its checkpoints, and by a longer one."""
