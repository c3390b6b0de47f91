"""Latency models: parts of networks timed by themselves, a correction, and what they predict."""
