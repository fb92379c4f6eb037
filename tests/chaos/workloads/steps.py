"""Prints and reports steps, with a checkpoint now and then. Arguments: steps, seconds between two, steps between checkpoints."""

import sys
import time

import trainyard_train as ty

steps, pause, every = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
start = ty.resume_checkpoint()
for step in range(start.step + 1 if start else 1, steps + 1):
    print(f"step {step}", flush=True)
    folder = None
    if step % every == 0:
        folder = ty.checkpoint_folder()
        (folder / "step").write_text(f"{step:10000d}")
    ty.report({"figure": step / 2}, step=step, checkpoint=folder, move=True)
    time.sleep(pause)
