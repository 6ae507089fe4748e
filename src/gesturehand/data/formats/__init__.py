"""Sets as their authors publish them: each format turns its files, where they lie, into the columns of an index."""
