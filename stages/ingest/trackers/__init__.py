"""Files of landmark trackers -> 68 points a frame: one file for each form, listed in FORMS of tracks.py."""
