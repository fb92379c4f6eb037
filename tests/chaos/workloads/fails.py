"""Prints twenty lines and exits with 3."""

import sys

for number in range(20):
    print("line", number, flush=True)
sys.exit(3)
