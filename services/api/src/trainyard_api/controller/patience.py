"""How long the controller waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds."""

    #: Between two looks at the engine's capacity.
    capacity: float = 5.0
    #: Starting jobs in one round; what runs is looked after before the next ones start.
    placing: float = 2.0
    #: Between two looks at an attempt's heartbeat.
    heartbeat: float = 5.0
    #: Of a longer time between two such looks only this much counts as the driver's silence.
    unseen: float = 10.0
    #: A driver that wrote its result and still has not ended is stopped after this long.
    linger: float = 20.0
    #: A driver whose ranks were lost waits this long to be told whether to run the next attempt.
    standby: float = 30.0
    #: A warm cluster that is not ready after this long is given up.
    warm_up: float = 600.0
    #: Between two requests to stop the same engine job.
    stop_again: float = 5.0
    #: An attempt whose engine job was asked to stop and has not ended after this long is recorded as ended anyway.
    stop: float = 20.0
    #: A submission whose answer was lost may still appear in the engine for this long.
    lost_answer: float = 30.0
    #: Between two comparisons of what the engine runs with what is on record.
    orphan_look: float = 30.0
    #: What belongs to no job on record is ended after this long: time to notice a database that was put in place of another.
    orphan: float = 600.0
