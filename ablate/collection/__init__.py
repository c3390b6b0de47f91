"""Several runs together: listed, indexed, joined and made smaller."""
