"""Other people's images and joints, made into a set in InterHand2.6M's files."""
