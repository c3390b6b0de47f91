"""What is restored: clean photographs, what is done to them, and the crops a network sees."""
