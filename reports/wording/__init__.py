"""What a front, a swap and an interaction say in words."""
