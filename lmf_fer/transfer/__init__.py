"""What was learnt on one data set, tested on another."""
