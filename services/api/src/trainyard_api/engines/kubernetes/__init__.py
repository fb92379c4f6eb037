"""Jobs as RayJobs of KubeRay, one namespace per team."""

from trainyard_api.engines.kubernetes.engine import KubernetesEngine

__all__ = ["KubernetesEngine"]
