"""The open set: images and annotations of the open hand in InterHand2.6M's files."""
