"""Kubernetes quantities as numbers."""

from __future__ import annotations

from decimal import Decimal

from kubernetes.utils.quantity import parse_quantity

GIB = 2**30
GPU = "nvidia.com/gpu"


def number(quantity: str | int | float | None) -> float:
    """Cores of ``"1500m"``, bytes of ``"1Gi"``; nothing is 0, and so is what cannot be read."""
    try:
        found: Decimal = parse_quantity(quantity or 0)  # type: ignore[no-untyped-call]
    except ValueError:
        return 0.0
    return float(found)
