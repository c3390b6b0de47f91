"""One trial, in a worker: a mix learns with one seed, is scored, leaves weights and pictures."""
