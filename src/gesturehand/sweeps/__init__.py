"""Sweeps: W&B's sweep files, run on this machine with Optuna as the engine."""
