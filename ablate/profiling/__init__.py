"""What a network costs: multiply-adds, parameters, memory and latency, one quantity a file."""
