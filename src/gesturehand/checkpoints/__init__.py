"""Checkpoints that survive what happens to runs: written whole, checked, loaded without running code, gone on from."""
