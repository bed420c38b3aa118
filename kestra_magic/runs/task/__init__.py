"""One task run: its attempts, what it says meanwhile, its state."""
