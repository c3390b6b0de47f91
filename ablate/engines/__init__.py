"""Where jobs run: on this machine, each in a fresh process."""
