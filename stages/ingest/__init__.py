"""A data set's tree -> the table of usable sequences and their face crops."""
