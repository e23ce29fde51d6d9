"""The doors between the rooms: every table's columns, units and checks, and the few tools all rooms share."""
