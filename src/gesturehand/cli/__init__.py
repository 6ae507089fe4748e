"""The command line: one dispatcher, and one file for each group of commands."""
