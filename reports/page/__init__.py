"""The parts of a report as one HTML page or one Markdown file."""
