"""The files of a job's MLflow run, and of the models that it made: each a folder with the model's name."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from trainyard_api.services.errors import FieldError, Invalid, Missing
from trainyard_api.services.platform import Platform
from trainyard_api.services.strict_json import printable
from trainyard_api.services.zip_streams import is_plain_path
from trainyard_api.tracking import Artifact


@dataclass(frozen=True)
class _Entry:
    """A file or folder as it is shown, and the model that it is of."""

    artifact: Artifact
    model_id: str | None = None


def artifacts_of(platform: Platform, job_id: str, path: str) -> tuple[str | None, str, list[Artifact]]:
    """The run's id, the folder's plain path and what it holds, by name; nothing while there is no run.

    Raises NotFound, Invalid, TrackingUnavailable, TrackingRefused.
    """
    folder = path.removesuffix("/")
    if folder:
        _check_path(folder)
    run_id = platform.repository.get_job(job_id).mlflow_run_id
    if run_id is None:
        return None, folder, []
    return run_id, folder, [entry.artifact for entry in _entries(platform, run_id, folder)]


def open_artifact(platform: Platform, job_id: str, path: str) -> tuple[Artifact, Iterator[bytes]]:
    """A file of the job's run, and its content. Raises NotFound, Missing, Invalid, TrackingUnavailable, TrackingRefused."""
    _check_path(path)
    run_id = platform.repository.get_job(job_id).mlflow_run_id
    folder = path.rpartition("/")[0]
    entries = [] if run_id is None else _entries(platform, run_id, folder)
    found = next((entry for entry in entries if entry.artifact.path == path), None)
    if run_id is None or found is None:
        raise Missing(f"the run of job {job_id} has no file {printable(path)!r}")
    if found.artifact.is_dir:
        raise Invalid(FieldError("path", f"{printable(path)!r} is a folder", "name a file in it"))
    if found.model_id is None:
        return found.artifact, platform.tracking.artifact_content(run_id, path)
    return found.artifact, platform.tracking.model_artifact_content(found.model_id, path.partition("/")[2])


def _entries(platform: Platform, run_id: str, folder: str) -> list[_Entry]:
    """What the folder holds, by name; MLflow lists a file as if it were a folder with itself in it."""
    tracking, entries = platform.tracking, dict[str, _Entry]()
    folders = _model_folders(tracking.logged_models(run_id))
    top, _, inside = folder.partition("/")
    if not folder:
        entries |= {name: _Entry(Artifact(name, is_dir=True, size=None), model_id) for name, model_id in folders.items()}
    elif top in folders:
        for one in tracking.model_artifacts(folders[top], inside):
            if one.path != inside:
                entries[f"{top}/{one.path}"] = _Entry(replace(one, path=f"{top}/{one.path}"), folders[top])
    entries |= {one.path: _Entry(one) for one in tracking.artifacts(run_id, folder) if one.path != folder}
    return [entries[path] for path in sorted(entries)]


def _model_folders(models: dict[str, str]) -> dict[str, str]:
    """Model ids by the folders that they are shown as: the name, with the id behind it where an earlier one has the same."""
    folders: dict[str, str] = {}
    for model_id, name in models.items():
        folders[f"{name}-{model_id}" if name in folders else name] = model_id
    return folders


def _check_path(path: str) -> None:
    """Raise Invalid for a path that MLflow, which decodes what it gets, could take for one outside of the run."""
    decoded = path
    while (further := unquote(decoded)) != decoded:
        decoded = further
    if not is_plain_path(path) or not is_plain_path(decoded) or "#" in decoded:
        message = f"{printable(path)!r} is no path inside of the run"
        raise Invalid(FieldError("path", message, "give a relative path such as model/weights.bin"))
