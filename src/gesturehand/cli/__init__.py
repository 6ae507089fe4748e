"""The command line: one dispatcher, one file a group of commands."""
