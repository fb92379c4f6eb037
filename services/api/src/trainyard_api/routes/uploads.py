"""Code archives and data sets."""

from collections.abc import Callable
from pathlib import Path

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from trainyard_api.routes.answers import answer, attachment, documented, file_content
from trainyard_api.routes.context import platform
from trainyard_api.routes.requests import read_form
from trainyard_api.routes.schemas.uploads import UploadForm, UploadList, UploadPath, UploadView
from trainyard_api.services.platform import Platform
from trainyard_api.services.uploads import store_code, store_dataset
from trainyard_api.store.models import Upload

bp = APIBlueprint("uploads", __name__, abp_tags=[{"name": "uploads"}])
bp.before_request(read_form)

_FILE = file_content("The file as it was uploaded")


def _keep(form: UploadForm, store: Callable[[Platform, Path, str], tuple[Upload, bool]], path: str) -> Response:
    form.file.stream.flush()
    upload, is_new = store(platform(), Path(form.file.stream.name), form.file.filename or "")
    return answer(UploadView.of(upload), 201 if is_new else 200, {"Location": f"/api/v1/{path}/{upload.id}"})


def _all(kind: str) -> Response:
    return answer(UploadList(items=[UploadView.of(upload) for upload in platform().repository.list_uploads(kind)]))


def _download(kind: str, upload_id: str) -> Response:
    upload = platform().repository.get_upload(kind, upload_id)
    return attachment(platform().objects.read(upload.key), upload.name, size=upload.size)


@bp.post("/code", responses=documented({201: UploadView, 200: UploadView}, 507, body=True))
def create_code(form: UploadForm) -> Response:
    """Upload code

    A .zip; 201, or 200 when the same bytes are there already.
    """
    return _keep(form, store_code, "code")


@bp.get("/code", responses=documented({200: UploadList}))
def list_code() -> Response:
    """List code archives"""
    return _all("code")


@bp.get("/code/<upload_id>", responses=documented({200: UploadView}, 404))
def get_code(path: UploadPath) -> Response:
    """Get a code archive's description"""
    return answer(UploadView.of(platform().repository.get_upload("code", path.upload_id)))


@bp.get("/code/<upload_id>/download", responses=documented({200: _FILE}, 404))
def get_code_archive(path: UploadPath) -> Response:
    """Download a code archive"""
    return _download("code", path.upload_id)


@bp.post("/datasets", responses=documented({201: UploadView, 200: UploadView}, 507, body=True))
def create_dataset(form: UploadForm) -> Response:
    """Upload a data set

    A .csv, .csv.gz, .parquet, .pq, .npz or .zip; 201, or 200 when the same bytes are there already.
    """
    return _keep(form, store_dataset, "datasets")


@bp.get("/datasets", responses=documented({200: UploadList}))
def list_datasets() -> Response:
    """List data sets"""
    return _all("data")


@bp.get("/datasets/<upload_id>", responses=documented({200: UploadView}, 404))
def get_dataset(path: UploadPath) -> Response:
    """Get a data set's description"""
    return answer(UploadView.of(platform().repository.get_upload("data", path.upload_id)))


@bp.get("/datasets/<upload_id>/download", responses=documented({200: _FILE}, 404))
def get_dataset_file(path: UploadPath) -> Response:
    """Download a data set"""
    return _download("data", path.upload_id)
