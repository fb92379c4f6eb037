"""Charts that other projects publish: what they are called, where they are, and what their sources must hash to."""

from dataclasses import dataclass, field

from workbench.go_tools import KUBERAY_OPERATOR, KUEUE, GoTool


@dataclass(frozen=True)
class UpstreamChart:
    """A chart whose version is that of the Go module that its controller is built from: the two must fit."""

    name: str
    tool: GoTool
    module: str
    #: Helm repository, or the OCI reference of the published chart.
    repository: str
    #: Version to SHA-256 of the published archive, where it is known.
    archives: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The chart's version, without a leading v."""
        return self.tool.version_of(self.module).removeprefix("v")

    @property
    def archive_digest(self) -> str | None:
        """SHA-256 of the published archive of this version, in hexadecimal."""
        return self.archives.get(self.version)


KUBERAY_CHART = UpstreamChart(
    "kuberay-operator",
    KUBERAY_OPERATOR,
    "github.com/ray-project/kuberay/ray-operator",
    "https://ray-project.github.io/kuberay-helm/",
    {"1.6.2": "660e709573ea49455fea0b34b40a38afc217b8354bcf0f17aab2a3249d3c1b5f"},
)
KUEUE_CHART = UpstreamChart("kueue", KUEUE, "sigs.k8s.io/kueue", "oci://registry.k8s.io/kueue/charts/kueue")
UPSTREAM = (KUBERAY_CHART, KUEUE_CHART)
