"""Axes, colours, lines and crops: what drawings share."""
