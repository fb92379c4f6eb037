"""The job store: typed tables, the state machine, and the repository that the API and the controller share."""

from trainyard_api.store.database import Database
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import JobState

__all__ = ["Database", "JobState", "Repository"]
