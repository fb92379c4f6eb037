"""Prints and reports steps, with a checkpoint now and then, and at the end how long the slowest report took.

Arguments: steps, seconds between two, steps between checkpoints, bytes of a checkpoint (10,000 unless given).
"""

import sys
import time

import trainyard_train as ty

steps, pause, every = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
size = int(sys.argv[4]) if len(sys.argv) > 4 else 10_000
slowest = 0.0
start = ty.resume_checkpoint()
for step in range(start.step + 1 if start else 1, steps + 1):
    print(f"step {step}", flush=True)
    begun = time.monotonic()
    folder = None
    if step % every == 0:
        folder = ty.checkpoint_folder()
        (folder / "step").write_text(f"{step:{size}d}")
    ty.report({"figure": step / 2}, step=step, checkpoint=folder, move=True)
    slowest = max(slowest, time.monotonic() - begun)
    time.sleep(pause)
print(f"slowest report: {slowest:.3f} s", flush=True)
