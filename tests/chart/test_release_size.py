"""Helm keeps a release in one Secret, which Kubernetes limits to 1 MiB."""

import base64
import gzip
import json

import yaml

from tests.chart.rendering import CHART, KUEUE, render
from workbench.paths import ROOT

LIMIT = 1024 * 1024


def test_a_release_fits_its_secret() -> None:
    """As Helm stores it: charts, values and manifest as JSON, compressed, encoded for the release and again for the Secret."""
    files = [ROOT / "values" / f"{name}.yaml" for name in ("production", "gpu", "team-vision", "team-nlp")]
    manifest = render(files=files, api_versions=[KUEUE]).manifest
    charts = {str(path.relative_to(CHART)): base64.b64encode(path.read_bytes()).decode() for path in CHART.rglob("*") if path.is_file()}
    release = {"chart": charts, "config": [yaml.safe_load(file.read_text()) for file in files], "manifest": manifest, "hooks": manifest}
    stored = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode(), compresslevel=9)))
    assert len(stored) < 0.8 * LIMIT, f"{len(stored):,} of {LIMIT:,} bytes"
