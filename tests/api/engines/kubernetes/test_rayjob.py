"""The rendered RayJob: whole documents, the CRD's schema, and hostile input."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.crd_schemas import validator
from tests.support.kube_cluster import TEAMS, settings, submission

from trainyard_api.engines.base import Submission
from trainyard_api.engines.kubernetes import KubernetesEngine
from trainyard_api.engines.kubernetes.api import KubeApi
from trainyard_api.settings import Settings
from trainyard_templates import get
from trainyard_templates.kubernetes import PodShape, RayJobValues, render_rayjob
from trainyard_templates.kubernetes.rendering import UnquotedValue, render

GOLDEN = Path(__file__).parent / "golden"


class _NoApi(KubeApi):
    def __init__(self) -> None:
        """Nothing is asked of it."""


def rendered(given: Submission, using: Settings | None = None) -> dict[str, Any]:
    """What the engine would send, with no node known to have room."""
    engine = KubernetesEngine(_NoApi(), using or settings(), TEAMS)
    return engine.rayjob(given, TEAMS.get(given.team))


CASES: dict[str, Any] = {
    "one-worker": lambda: rendered(submission("j0abc", workers=1)),
    "two-workers-with-queue-and-deadline": lambda: rendered(submission("j0abc", team="nlp", deadline=600, memory_gb_per_worker=1.5)),
    "gpus": lambda: rendered(
        submission("j0abc", workers=3, gpus_per_worker=1.0, cpus_per_worker=4.0),
        settings(trainer_image_pull_secrets="one,two", trainer_image_pull_policy="Always", job_secret="", job_s3_endpoint_url=""),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_whole_document(name: str) -> None:
    """To accept a change, write the new documents with `python -m tests.api.engines.kubernetes.write_golden` and read the diff."""
    assert CASES[name]() == json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_the_schema_of_the_crd_is_kept(name: str) -> None:
    assert [error.message for error in validator("rayjob", "v1").iter_errors(CASES[name]())] == []


def test_the_schema_notices_what_the_crd_does_not_know() -> None:
    document = CASES["one-worker"]()
    document["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["hostNetworks"] = True
    assert [error.message for error in validator("rayjob", "v1").iter_errors(document)]


def pods(document: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = document["spec"]["rayClusterSpec"]
    return [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


@pytest.mark.parametrize("name", CASES)
def test_every_pod_is_restricted(name: str) -> None:
    for pod in pods(CASES[name]()):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
        assert all(set(volume) == {"name", "emptyDir"} for volume in spec["volumes"])
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert limits == {key: value for key, value in requests.items() if key != "cpu"}
            assert "command" not in container
            assert "args" not in container


def test_an_image_that_a_job_names_is_that_of_all_its_pods() -> None:
    named = replace(submission("j0abc", workers=3, gpus_per_worker=1.0), image="registry.example.com/vision/trainer:2")
    assert {container["image"] for pod in pods(rendered(named)) for container in pod["spec"]["containers"]} == {named.image}


def test_credentials_are_only_named() -> None:
    [pod] = pods(CASES["one-worker"]())
    by_name = {row["name"]: row for row in pod["spec"]["containers"][0]["env"]}
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert by_name[key] == {"name": key, "valueFrom": {"secretKeyRef": {"name": "trainyard-objects", "key": key}}}


# --- hostile input ------------------------------------------------------------------------------------------------------

#: What means something to YAML, Jinja2, a shell, Kubernetes or Ray.
HOSTILE = st.sampled_from(
    [
        "{{ 7*7 }}",
        "{% raw %}",
        "$(AWS_SECRET_ACCESS_KEY)",
        "$$(X)",
        "${HOME}",
        "`id`",
        "; rm -rf / #",
        "a: b\n- c",
        '"}, "hostNetwork": true, {"',
        "!!python/object:os.system",
        "&a *a",
        "\u2028\x85\x7f\ufeff",
        "\U0001f525 Ünïcode",
        "'\"\\",
        "null",
        "0x1F",
        "</script>",
    ]
)
TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=40)
VALUE = st.lists(HOSTILE | TEXT, min_size=1, max_size=4).map("".join)


def expanded(value: str) -> str:
    """As Kubernetes hands it to the process: it puts `$` for `$$`, and the value of NAME for `$(NAME)`."""
    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda found: "$" if found[0] == "$$" else "EXPANDED", value)


def head_variables(document: dict[str, Any]) -> dict[str, str]:
    """Takes the driver's variables out of the head's container."""
    container = pods(document)[0]["spec"]["containers"][0]
    own = [row for row in container["env"] if row["name"].startswith("TRAINYARD_")]
    container["env"] = [row for row in container["env"] if row not in own]
    return {row["name"]: expanded(row["value"]) for row in own}


@given(
    arguments=st.lists(VALUE, max_size=4),
    env=st.dictionaries(st.from_regex(r"\A[A-Z][A-Z_]{0,8}\Z").map("X".__add__), VALUE, max_size=3),
    image=st.none() | VALUE,
)
def test_what_a_user_writes_stays_text(arguments: list[str], env: dict[str, str], image: str | None) -> None:
    script = get("script")
    spec = script.render(script.validate({"arguments": arguments, "env": env, "entry": "train.py"}), code_uri="s3://b/code.zip")
    given = submission("j0abc", workers=1)
    hostile = replace(given, environment={**given.environment, "TRAINYARD_SPEC": json.dumps(spec.model_dump(mode="json"))}, image=image)
    document = rendered(hostile)
    variables, _ = head_variables(document), head_variables(plain := CASES["one-worker"]())
    if image:
        for pod in pods(plain):
            pod["spec"]["containers"][0]["image"] = image
    assert document == plain, "nothing but the driver's environment and the image depends on what the user wrote"
    assert json.loads(variables["TRAINYARD_SPEC"]) == spec.model_dump(mode="json")


@given(value=VALUE)
def test_a_containers_variable_is_what_was_set(value: str) -> None:
    shape = PodShape(1000, 2**30, 0, 1)
    values = RayJobValues("ty-j1-1", "team", {}, {}, {}, "image", shape, pod_environment={"AWS_ENDPOINT_URL": value})
    [row] = [row for row in pods(render_rayjob(values))[0]["spec"]["containers"][0]["env"] if row["name"] == "AWS_ENDPOINT_URL"]
    assert expanded(row["value"]) == value


@given(labels=st.dictionaries(VALUE, VALUE, max_size=3), image=VALUE, namespace=VALUE, account=VALUE, secret=VALUE)
def test_every_value_of_a_template_becomes_one_json_value(
    labels: dict[str, str], image: str, namespace: str, account: str, secret: str
) -> None:
    shape = PodShape(1000, 2**30, 0, 1)
    values = RayJobValues("n", namespace, labels, labels, {}, image, shape, service_account=account, pull_secrets=(secret,))
    document = render_rayjob(values)
    spec = pods(document)[0]["spec"]
    assert (document["metadata"]["namespace"], document["metadata"]["labels"]) == (namespace, labels)
    assert (spec["containers"][0]["image"], spec["serviceAccountName"]) == (image, account)
    assert spec["imagePullSecrets"] == [{"name": secret}]


@pytest.fixture
def templates(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Templates to try the renderer with."""
    from trainyard_templates.kubernetes import rendering

    texts: dict[str, str] = {}
    environment = rendering._environment().overlay(loader=jinja2.DictLoader(texts))
    monkeypatch.setattr(rendering, "_environment", lambda: environment)
    return texts


def test_a_template_that_forgets_tojson_is_refused(templates: dict[str, str]) -> None:
    templates["t"] = '{"a": "{{ value }}"}'
    with pytest.raises(UnquotedValue, match="prints str without tojson"):
        render("t", value="x")


def test_a_template_cannot_leave_its_sandbox_or_use_what_it_was_not_given(templates: dict[str, str]) -> None:
    templates["t"] = '{"a": {{ value.__class__.__mro__ | tojson }}}'
    with pytest.raises(jinja2.exceptions.SecurityError):
        render("t", value="x")
    templates["u"] = '{"a": {{ other | tojson }}}'
    with pytest.raises(TypeError, match="StrictUndefined"):
        render("u", value="x")
