"""Where an attempt starts from: decided once, by the driver, so that all ranks on all machines resume from the same checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from trainyard_train import checkpoints
from trainyard_train.environment import JobEnvironment
from trainyard_train.failures import AttemptFailed
from trainyard_train.objects import Objects
from trainyard_train.record_objects import reported_before


@dataclass(frozen=True)
class Start:
    """The checkpoint to resume from (None: from the beginning) and what there is to say about it.

    Attributes:
        notices: a sentence for each checkpoint that was passed over, and for an earlier attempt that left none.
        lost_steps: steps that an earlier attempt reported behind the checkpoint; None where that is not known.
        source_job: the other job that the checkpoint is of.
    """

    key: str | None = None
    notices: tuple[str, ...] = ()
    lost_steps: int | None = None
    source_job: str | None = None


def find_start(env: JobEnvironment, objects: Objects) -> Start:
    """Look for the newest whole checkpoint, and have it on this machine's disk.

    Raises:
        AttemptFailed: the checkpoint of another job that the job was to start from is damaged.
        OSError: the object store refuses.
    """
    folder = env.attempt_spool / "resume"
    found = checkpoints.find(objects, env.job_id, folder)
    notices = [f"checkpoint of step {step} is damaged: {why}" for step, why in sorted(found.damaged.items(), reverse=True)]
    last = reported_before(objects, env.job_id, env.attempt, 0).last_step
    if found.key is not None:
        lost = None if last is None else max(0, last - checkpoints.step_of(found.key))
        return Start(found.key, tuple(notices), lost)
    if env.attempt > 1:
        notices.append("no checkpoint of an earlier attempt: it starts again" + ("" if last is None else f", {last} was the last step"))
    key = env.spec.resume_from
    if key is None:
        return Start(notices=tuple(notices))
    try:
        checkpoints.fetch_once(objects, key, folder)
    except checkpoints.DamagedCheckpoint as error:
        raise AttemptFailed(f"the checkpoint to resume from, {key}, cannot be used: {error}", "user") from error
    return Start(key, tuple(notices), source_job=key.split("/")[1])
