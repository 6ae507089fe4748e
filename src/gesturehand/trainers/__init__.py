"""The two stages as LightningModules."""
