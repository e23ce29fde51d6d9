"""What all stages share: the tables between them (columns, units, checks) and the tools to read and write them."""
