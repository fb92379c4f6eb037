"""Prints megabytes of numbered lines as fast as it can; the last line is the SHA-256 of all before it. Argument: megabytes."""

import hashlib
import sys

digest, written, number = hashlib.sha256(), 0, 0
while written < int(sys.argv[1]) * 1_000_000:
    number += 1
    line = f"{number} {'x' * (number % 200)}\n".encode()
    digest.update(line)
    sys.stdout.buffer.write(line)
    written += len(line)
print(f"sha256 {digest.hexdigest()}", flush=True)
