"""Prints lines with the time in them, ten a second."""

import sys
import time

for number in range(int(sys.argv[1])):
    print(f"line {number} at {time.time():.3f}", flush=True)
    time.sleep(0.1)
time.sleep(5)
