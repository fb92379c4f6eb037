"""RFC 9457 problem details."""

from pydantic import Field

from trainyard_api.routes.schemas.base import ApiModel


class ProblemField(ApiModel):
    """One field that is wrong."""

    field: str = Field(description="Dotted name of the field; empty: the body as a whole")
    message: str
    fix: str = Field(description="What to do about it")


class Problem(ApiModel):
    """What went wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str = Field(description="URN of this request; the API's log names it too")
    errors: list[ProblemField] = []
