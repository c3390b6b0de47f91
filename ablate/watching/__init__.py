"""How a run goes on, seen from another process: what it says of itself, and what is recorded."""
