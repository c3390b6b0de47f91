"""Several runs together: a study shared out over hosts; runs joined, listed and made smaller."""
