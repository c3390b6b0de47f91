"""`ablate plan`: a study's forecasts, in words."""
