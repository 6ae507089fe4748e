"""The keys of every command: read without importing the code that they set, shown as help, and used for checks."""
