"""Code archives and data sets."""

from typing import Annotated, Any, Self

from flask_openapi.models.file import FileStorage
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from werkzeug.datastructures import FileStorage as WerkzeugFile

from trainyard_api.routes.schemas.base import ApiModel, Moment, RequestBody
from trainyard_api.store.models import Upload


def _is_a_file(value: Any) -> Any:
    if not isinstance(value, WerkzeugFile) or not value.filename:
        raise ValueError("is not a file; send it as a part with a filename")
    return value


class UploadForm(ApiModel):
    """One file."""

    file: Annotated[FileStorage, AfterValidator(_is_a_file)] = Field(description="The file, with its name")


class UploadPath(BaseModel):
    """The upload that a call is about."""

    upload_id: str = Field(description="sha256 of the bytes")


class GitRequest(RequestBody):
    """Where code is in a git repository that anybody may read."""

    url: str = Field(min_length=1, max_length=2000, examples=["https://github.com/pytorch/examples.git"], description="https only")
    ref: str = Field(default="HEAD", min_length=1, max_length=250, description="A branch, a tag or a full commit id")
    folder: str | None = Field(default=None, max_length=1000, description="Only this folder of it; the whole when null")


class GitSource(ApiModel):
    """The repository and the commit that code was fetched from."""

    url: str
    commit: str


class UploadView(ApiModel):
    """A stored code archive or data set."""

    model_config = ConfigDict(title="Upload", from_attributes=True)

    id: str = Field(description="sha256 of the bytes")
    name: str
    size: int = Field(description="Bytes")
    files: list[str]
    created_at: Moment
    source: GitSource | None = Field(description="Where it was fetched from; null: it was uploaded")

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """The upload as the API shows it."""
        return cls.model_validate(upload, extra="ignore")


class UploadList(ApiModel):
    """Uploads, newest first, at most 1,000."""

    items: list[UploadView]
    next_cursor: None = None
