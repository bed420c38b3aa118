"""What is written down of every run, before it begins, while it lives and after its end."""
