"""The paper's comparison: a grid of trainings, run through the ordinary training code, and its table and plots."""
