"""Checkpoints that survive interruptions: written whole, checked, loaded without running code, resumed from."""
