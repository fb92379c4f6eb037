"""Faults injected into a running platform, each with what must come of it; ./scripts/chaos runs them."""
