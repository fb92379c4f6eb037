"""Metrics."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from trainyard_api.routes.schemas.base import ApiModel, RequestParameters, StreamQuery
from trainyard_api.routes.schemas.jobs import JobView
from trainyard_api.series import Series
from trainyard_api.services.metrics import NamedPoint, plain

Keys = Annotated[list[Annotated[str, Field(min_length=1, max_length=250)]], Field(max_length=500, description="All series when empty")]


class MetricsQuery(RequestParameters):
    """Which series, and how many points of each."""

    key: Keys = []
    points: int = Field(default=500, ge=2, le=10_000)


class MetricsStreamQuery(StreamQuery):
    """Which series to follow."""

    key: Keys = []


class SeriesView(ApiModel):
    """One metric, downsampled: its first, last and extreme points are kept."""

    model_config = ConfigDict(title="Series")

    key: str
    count: int = Field(description="How many points it has in all")
    steps: list[int]
    values: list[float | None] = Field(description="NaN and infinities are null")
    timestamps: list[int] = Field(description="Milliseconds since 1970")

    @classmethod
    def of(cls, series: Series) -> Self:
        """The series as the API shows it."""
        return cls(
            key=series.key,
            count=series.count,
            steps=[point.step for point in series.points],
            values=[plain(point.value) for point in series.points],
            timestamps=[point.timestamp for point in series.points],
        )


class MetricsView(ApiModel):
    """The series of a job's MLflow run."""

    model_config = ConfigDict(title="Metrics")

    run_id: str | None = Field(description="null while there is no run yet")
    series: list[SeriesView]


class ComparisonQuery(RequestParameters):
    """Which jobs, and how many points of each of their series."""

    job: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        min_length=1, max_length=100, description="Those that do not exist are left out of the answer"
    )
    points: int = Field(default=300, ge=2, le=2000)


class ComparedJobView(ApiModel):
    """A job with its series."""

    model_config = ConfigDict(title="ComparedJob")

    job: JobView
    series: list[SeriesView]


class ComparisonView(ApiModel):
    """Jobs side by side, in the order in which they were named."""

    model_config = ConfigDict(title="Comparison")

    items: list[ComparedJobView]


class PointView(ApiModel):
    """One value of one series."""

    model_config = ConfigDict(title="Point")

    key: str
    step: int
    value: float | None
    timestamp: int


class PointsView(ApiModel):
    """New points of the followed series."""

    model_config = ConfigDict(title="Points")

    points: list[PointView]

    @classmethod
    def of(cls, points: list[NamedPoint]) -> Self:
        """The points as the API shows them."""
        views = [
            PointView(key=named.key, step=named.point.step, value=plain(named.point.value), timestamp=named.point.timestamp)
            for named in points
        ]
        return cls(points=views)
