"""The keys of every command: read without importing what they set, shown as help, and held against what was given."""
