"""Runs of other kernels: what a dead one left, what a living one is asked for."""
