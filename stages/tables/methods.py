"""The names of the poster's methods as they stand in every table, in the poster's order, and of two further ones."""

DTAGN, LMF_FER, JOINT = "DTAGN", "LMF-FER", "Joint framework"
METHODS = (DTAGN, LMF_FER, JOINT)
LMF_FER_ACTORS, JOINT_ACTORS = f"{LMF_FER} with actors", f"{JOINT} with actors"
"""The same methods, where LMF-FER has learnt from simulated actors before it sees the data set."""
