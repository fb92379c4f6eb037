"""The one place that reads and writes jobs: every change of state is a guarded update that also appends to the timeline."""

from trainyard_api.store.attempts import Attempts, TrainerEvent
from trainyard_api.store.jobs import Jobs, NewJob, WaitingJob
from trainyard_api.store.uploads import Capacities, Uploads
from trainyard_api.store.warm_clusters import WarmClusters

__all__ = ["NewJob", "Repository", "TrainerEvent", "WaitingJob"]


class Repository(Jobs, Attempts, WarmClusters, Uploads, Capacities):
    """Jobs, attempts, events, warm clusters, uploads and the capacity row of one database. Each method is one transaction."""
