"""The table, its statistics and the data behind it -> figures and one page that opens from disk."""
