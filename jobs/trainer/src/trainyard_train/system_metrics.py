"""CPU, memory and GPU figures of one worker's process tree."""

from __future__ import annotations

import contextlib
from typing import Any

import psutil


class SystemMetrics:
    """Samples one process with all its children. Keys: cpu_percent (100 is one core), memory_mb, gpu_<i>_percent, gpu_<i>_memory_mb."""

    def __init__(self, pid: int, *, gpus: bool) -> None:
        self._root: psutil.Process | None = None
        with contextlib.suppress(psutil.Error):  # it may have ended already
            self._root = psutil.Process(pid)
        self._known: dict[int, psutil.Process] = {}
        #: The process's children, as the last sample found them.
        self.children: list[int] = []
        self._nvml: Any = None
        if gpus:
            with contextlib.suppress(Exception):  # no driver: the figures are left out
                import pynvml

                pynvml.nvmlInit()
                self._nvml = pynvml

    def sample(self) -> dict[str, float]:
        """Figures since the last call; empty once the process is gone."""
        cpu = memory = 0.0
        if self._root is None:
            return {}
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return {}
        self.children = [process.pid for process in processes[1:]]
        for process in processes:
            known = self._known.setdefault(process.pid, process)
            with contextlib.suppress(psutil.Error):
                cpu += known.cpu_percent()
                memory += known.memory_info().rss
        figures = {"cpu_percent": round(cpu, 1), "memory_mb": round(memory / 2**20, 1)}
        if self._nvml is not None:
            figures.update(self._gpus())
        return figures

    def _gpus(self) -> dict[str, float]:
        figures: dict[str, float] = {}
        with contextlib.suppress(Exception):
            for index in range(self._nvml.nvmlDeviceGetCount()):
                handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
                figures[f"gpu_{index}_percent"] = float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
                figures[f"gpu_{index}_memory_mb"] = round(self._nvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20, 1)
        return figures
