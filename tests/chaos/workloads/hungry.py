"""Takes memory until the kernel says no."""

import time

taken = []
while True:
    taken.append(b"x" * 50_000_000)
    print(f"{50 * len(taken)} MB", flush=True)
    time.sleep(0.2)
