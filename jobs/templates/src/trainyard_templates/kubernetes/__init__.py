"""The Kubernetes objects of one attempt, rendered from the templates beside this file."""

from trainyard_templates.kubernetes.rayjob import RAY_VERSION, PodShape, RayJobValues, render_rayjob

__all__ = ["RAY_VERSION", "PodShape", "RayJobValues", "render_rayjob"]
