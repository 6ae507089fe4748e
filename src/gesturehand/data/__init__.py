"""InterHand2.6M: files → index → samples → batches."""
