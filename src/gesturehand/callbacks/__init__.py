"""Lightning callbacks: what is shown and measured while a network trains."""
