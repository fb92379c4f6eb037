"""Timeline stamps taken from torch's own hooks, without importing torch before the user's code does."""

from __future__ import annotations

import atexit
import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from trainyard_train import life
from trainyard_train.records import RecordWriter

_OPTIMIZER_MODULE = "torch.optim.optimizer"
_POLL_SECONDS = 0.05


class _AfterImport(MetaPathFinder):
    """Calls back with a module right after its first import; out of the way before and afterwards."""

    def __init__(self, name: str, then: Callable[[ModuleType], None]) -> None:
        self._name, self._then = name, then

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See MetaPathFinder."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_call(module: ModuleType) -> None:
                execute(module)
                self._then(module)

            spec.loader.exec_module = execute_and_call  # type: ignore[method-assign]
        return spec


def _after_each_step(call: Callable[..., None]) -> None:
    """Have this called after every optimizer step from now on; in a process that was kept warm torch is there already."""

    def register(module: Any) -> None:
        module.register_optimizer_step_post_hook(call)

    if _OPTIMIZER_MODULE in sys.modules:
        register(sys.modules[_OPTIMIZER_MODULE])
    else:
        sys.meta_path.insert(0, _AfterImport(_OPTIMIZER_MODULE, register))


def count_steps() -> None:
    """From now on every optimizer step is a sign of progress."""
    _after_each_step(lambda *_: life.advance())


def stamp_steps(records: RecordWriter) -> None:
    """From now on stamp when the process group was formed, and the first and the last optimizer step."""
    last: list[float] = []

    def stepped(*_: Any) -> None:
        if not last:
            records.write("stage", name="first_step", detail={})
            last.append(0.0)
        last[0] = time.time()

    def at_end() -> None:
        if last:
            records.write("stage", name="last_step", detail={"at": last[0]})

    def await_group() -> None:
        while True:
            distributed = sys.modules.get("torch.distributed")
            formed = getattr(distributed, "is_initialized", None)
            if formed is not None and formed():
                return records.write("stage", name="process_group_formed", detail={"backend": distributed.get_backend()})  # type: ignore[union-attr]
            time.sleep(_POLL_SECONDS)

    _after_each_step(stepped)
    atexit.register(at_end)
    threading.Thread(target=await_group, name="await process group", daemon=True).start()
