"""A few mixes of a run trained again, and longer: was the short training a fair judge?"""
