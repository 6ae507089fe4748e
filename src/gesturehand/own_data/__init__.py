"""Turns other people's images and joints into a set in InterHand2.6M's files."""
