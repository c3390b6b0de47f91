"""What goes from a run into a paper: tables, figures, words and sources, ready for LaTeX."""
