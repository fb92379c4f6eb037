"""`--resume`, `--keep` and `--best`: which checkpoint a job starts from, and which of its own stay."""

from __future__ import annotations

from trainyard.errors import InvalidInput


def resume_of(text: str) -> tuple[str, int | None]:
    """`JOB` or `JOB:STEP` as the id and the step, None for the newest. Raises InvalidInput."""
    job, colon, step = text.partition(":")
    if not job or (colon and not (step.isascii() and step.isdecimal())):
        raise InvalidInput("--resume", f"{text!r} is not JOB or JOB:STEP", "take both from `trainyard checkpoints JOB`")
    return job, int(step) if colon else None


def policy_of(keep: int | None, best: str | None) -> dict[str, object] | None:
    """The fields of a checkpoint policy; None when neither option is given. Raises InvalidInput."""
    if keep is None and best is None:
        return None
    fields: dict[str, object] = {} if keep is None else {"keep": keep}
    if best is not None:
        metric, colon, mode = best.rpartition(":")
        if not colon or mode not in ("min", "max"):
            metric, mode = best, "min"
        if not metric:
            raise InvalidInput("--best", f"{best!r} names no metric", "write it like loss, or accuracy:max")
        fields |= {"best_metric": metric, "best_mode": mode}
    return fields
