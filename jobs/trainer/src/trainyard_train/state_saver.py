"""Saves a training state beside the training: copied to memory at once, written to local disk by a thread, and queued to be sent."""

from __future__ import annotations

import copy
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

#: The file that a state is written to, in the folder of its checkpoint.
STATE_FILE = "state.pt"


@dataclass(frozen=True)
class Snapshot:
    """A state as it was at a step, in memory of its own."""

    state: Mapping[str, Any]
    step: int
    metrics: Mapping[str, float]
    tensors: Sequence[torch.Tensor] = ()


def copied(state: Mapping[str, Any], spare: Iterable[torch.Tensor] = ()) -> tuple[Mapping[str, Any], list[torch.Tensor]]:
    """The state on the CPU, sharing no memory with the given one, and its tensors; one that is there twice is there twice in the copy too.

    Tensors of ``spare`` are written over where they have the right form: memory that is new to the process costs several times the copy.
    """
    free: dict[_Form, list[torch.Tensor]] = defaultdict(list)
    for one in spare:
        free[_form(one)].append(one)
    known: dict[tuple[Any, ...], torch.Tensor] = {}

    def of(value: Any) -> Any:
        if type(value) in (torch.Tensor, torch.nn.Parameter) and value.layout is torch.strided and value.numel():
            key = (value.device, value.data_ptr(), *_form(value))
            if key not in known:
                fitting = free[_form(value)]
                known[key] = fitting.pop().copy_(value.detach()) if fitting else value.detach().to("cpu", copy=True)
            return known[key]
        if isinstance(value, torch.Tensor):
            return value.detach().to("cpu", copy=True)
        if isinstance(value, dict):
            new = copy.copy(value)  # with the attribute in which a module's state_dict keeps its versions
            for name, one in value.items():
                new[name] = of(one)
            return new
        if type(value) in (list, tuple):
            return type(value)(of(one) for one in value)
        return copy.deepcopy(value)

    with torch.inference_mode(False), torch.no_grad():  # a tensor of inference mode could not be written over outside of it
        return of(dict(state)), list(known.values())


_Form = tuple[torch.dtype, torch.Size, tuple[int, ...]]


def _form(tensor: torch.Tensor) -> _Form:
    return tensor.dtype, tensor.shape, tensor.stride()


class StateSaver:
    """Writes snapshots, the newest wins: at most one is being written and one waits, whatever the disk takes."""

    def __init__(self, new_folder: Callable[[], Path], hand_over: Callable[[Path, Snapshot], None]) -> None:
        """``new_folder`` makes the folder that a state is written into, ``hand_over`` gives the whole one away."""
        self._new_folder, self._hand_over = new_folder, hand_over
        self._lock = threading.Lock()
        self._waiting: Snapshot | None = None
        #: The memory of the last one that was written, for the next one.
        self._spare: Sequence[torch.Tensor] = ()
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None

    def save(self, state: Mapping[str, Any], step: int, metrics: Mapping[str, float]) -> None:
        """Copy the state and return; it is written afterwards, also when the program ends meanwhile.

        Raises OSError when one before it could not be written; what was saved before that is safe.
        """
        with self._lock:
            failure, self._failure = self._failure, None
            if failure is not None:  # before what waits is taken away
                raise failure
            replaced, self._waiting = self._waiting, None
            spare, self._spare = (replaced.tensors if replaced else self._spare), ()
        copy_of_state, tensors = copied(state, spare)
        del replaced, spare
        snapshot = Snapshot(copy_of_state, step, dict(metrics), tensors)
        with self._lock:
            self._waiting = snapshot
            if self._thread is None:
                # Not a daemon: Python waits for it before the process ends.
                self._thread = threading.Thread(target=self._run, name="write checkpoints")
                self._thread.start()

    def wait(self) -> None:
        """Return when everything is written."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (snapshot := self._next()) is not None:
            folder: Path | None = None
            try:
                folder = self._new_folder()
                torch.save(snapshot.state, folder / STATE_FILE)
                self._hand_over(folder, snapshot)
            except Exception as error:  # a full disk is a RuntimeError of torch's, what cannot be pickled is any
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)
                sentence = f"the checkpoint of step {snapshot.step} could not be written: {error}"
                print(sentence, file=sys.stderr, flush=True)
                with self._lock:
                    self._failure = OSError(sentence)
            with self._lock:
                self._spare = snapshot.tensors

    def _next(self) -> Snapshot | None:
        with self._lock:
            snapshot, self._waiting = self._waiting, None
            if snapshot is None:
                self._thread = None
            return snapshot
