"""What makes a trial the same one, and which source files that hangs on."""
