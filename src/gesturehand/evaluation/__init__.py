"""Evaluation of a trained run: its test report, the baselines, the summary table."""
