"""The parts that every use case works with, opened once per process."""

from dataclasses import dataclass, field

from trainyard_api.objects import ObjectStore, open_store
from trainyard_api.settings import Settings
from trainyard_api.store import Database, Repository
from trainyard_api.teams import Teams, load_teams
from trainyard_api.tracking import Tracking


@dataclass(frozen=True)
class Platform:
    """Store, object store and MLflow behind one API process. All of them are thread-safe."""

    settings: Settings
    database: Database
    repository: Repository
    objects: ObjectStore
    tracking: Tracking
    teams: Teams = field(default_factory=Teams)

    @classmethod
    def open(cls, settings: Settings) -> "Platform":
        """Open everything; nothing but SQLite's folder is touched before the first use.

        Raises ValueError for a URL or a teams file that cannot be used.
        """
        teams = load_teams(settings.teams_file)
        database = Database(settings.database)
        return cls(settings, database, Repository(database), open_store(settings.object_store), Tracking(settings.mlflow_url), teams)

    def close(self) -> None:
        """Close every connection."""
        self.tracking.close()
        self.database.close()
