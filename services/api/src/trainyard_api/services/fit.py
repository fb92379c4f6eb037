"""Whether a job can ever run on this engine, so that one that cannot is refused at once; and whether it fits beside the others."""

import math
from collections.abc import Mapping
from typing import Any

from trainyard_api.services.errors import FieldError
from trainyard_api.store.models import CapacityRow
from trainyard_templates import ResourceSpec

_EPSILON = 1e-6
_UNITS = {"cpus": "CPUs", "gpus": "GPUs", "memory_gb": "GiB of memory"}


def misfits(resources: ResourceSpec, capacity: CapacityRow) -> list[FieldError]:
    """What is asked for beyond the engine's capacity: by one worker beyond the largest node, or by all workers beyond all nodes.

    An elastic job is measured by the fewest workers that it accepts.
    """
    nodes: list[dict[str, Any]] = capacity.detail.get("nodes") or [capacity.detail]
    each = _each(resources)
    where = "this machine has" if len(nodes) == 1 else "the largest node has"
    errors = []
    for unit, words in _UNITS.items():
        largest = max(float(node.get(unit, 0)) for node in nodes)
        if each[unit] > largest + _EPSILON:
            fix = f"use at most {largest:g}" if largest else "set it to 0" if unit == "gpus" else "leave it out"
            subject = "asks for" if resources.workers == 1 else "each worker asks for"
            errors.append(FieldError(f"parameters.{unit}_per_worker", f"{subject} {each[unit]:g} {words}, {where} {largest:g}", fix))
    if errors:
        return errors
    return _too_many_workers(resources, each, nodes)


def workers_that_fit(resources: ResourceSpec, free: Mapping[str, float]) -> int:
    """How many of the job's workers, at least the fewest that it accepts, fit into what is free; 0: not even those."""
    fitting = _workers_on(free, _each(resources), resources.workers)
    return fitting if fitting >= resources.fewest_workers else 0


def taken(resources: ResourceSpec, workers: int, free: Mapping[str, float]) -> dict[str, float]:
    """What is free beside so many of the job's workers."""
    return {unit: free[unit] - workers * need for unit, need in _each(resources).items()}


def shortage(resources: ResourceSpec, free: Mapping[str, float]) -> str | None:
    """What the job needs and how much of it is free, in words, where that is too little for the fewest workers that it accepts."""
    for unit, need in _each(resources).items():
        needed = resources.fewest_workers * need
        if needed > free[unit] + _EPSILON:
            return f"needs {needed:g} {_UNITS[unit]}; {max(0.0, free[unit]):g} {'is' if free[unit] == 1 else 'are'} free"
    return None


def _each(resources: ResourceSpec) -> dict[str, float]:
    """What one worker asks for."""
    return {unit: float(getattr(resources, f"{unit}_per_worker") or 0) for unit in _UNITS}


def _too_many_workers(resources: ResourceSpec, each: dict[str, float], nodes: list[dict[str, Any]]) -> list[FieldError]:
    fewest = resources.fewest_workers
    fitting = sum(_workers_on(node, each, fewest) for node in nodes)
    if fitting >= fewest:
        return []
    field = "parameters.workers" if resources.min_workers is None else "parameters.min_workers"
    where = "this machine has" if len(nodes) == 1 else "all nodes together have"
    fix = f"use at most {fitting} workers of this size, or smaller ones"
    for unit, words in _UNITS.items():
        needed, has = fewest * each[unit], sum(float(node.get(unit, 0)) for node in nodes)
        if needed > has + _EPSILON:
            return [FieldError(field, f"asks for {needed:g} {words}, {where} {has:g}", fix)]
    return [FieldError(field, f"asks for {fewest} workers, of which {fitting} fit on the nodes", fix)]


def _workers_on(node: Mapping[str, Any], each: dict[str, float], wanted: int) -> int:
    """How many of ``wanted`` workers the node can hold."""
    return min([wanted, *(math.floor(float(node.get(unit, 0)) / need + _EPSILON) for unit, need in each.items() if need > 0)])
