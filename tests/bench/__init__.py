"""Benchmarks: each figure is a ratio against a peer that runs on the same machine in the same session, alternating with it."""
