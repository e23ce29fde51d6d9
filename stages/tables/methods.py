"""The names of the poster's methods as they stand in every table, in the poster's order."""

DTAGN, LMF_FER, JOINT = "DTAGN", "LMF-FER", "Joint framework"
METHODS = (DTAGN, LMF_FER, JOINT)
