"""A CK+ tree -> the table of usable sequences and their face crops."""
