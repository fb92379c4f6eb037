"""Job kinds a user picks: parameters with bounds and help, and their rendering to a `RunSpec`.

Pure: no Ray, no torch, no network. The API renders with it, the trainer reads `RunSpec` from it.
"""

from trainyard_templates.base import Template
from trainyard_templates.registry import TEMPLATES, UnknownTemplate, get
from trainyard_templates.runspec import CheckpointPolicy, ResourceSpec, RunSpec

__all__ = ["TEMPLATES", "CheckpointPolicy", "ResourceSpec", "RunSpec", "Template", "UnknownTemplate", "get"]
