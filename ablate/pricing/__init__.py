"""What one network costs by itself, counted and timed, in words and as JSON."""
