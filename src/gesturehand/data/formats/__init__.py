"""Sets as their authors publish them: each format reads its files in place and makes the columns of an index."""
