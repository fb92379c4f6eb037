"""The rules that every Dockerfile holds to."""

import re
from pathlib import Path

import pytest

from workbench.images.catalogue import BASE, IMAGES, Image
from workbench.images.dockerfile import Dockerfile
from workbench.paths import ROOT

FOLDERS = {image.folder: image for image in IMAGES.values()}
every_image = pytest.mark.parametrize("image", FOLDERS.values(), ids=FOLDERS)


def test_every_dockerfile_is_an_image() -> None:
    assert {path.parent.name for path in (ROOT / "images").glob("*/Dockerfile")} == set(FOLDERS)


@every_image
def test_there_is_one_base(image: Image) -> None:
    stages = image.dockerfile.stages
    assert {base for base, _ in stages} <= {BASE, "scratch"}
    contexts = {name for _, name in stages} | set(image.contexts)
    sources = {word.removeprefix("--from=") for rest in image.dockerfile.all("COPY") for word in rest.split() if word.startswith("--from=")}
    assert sources <= contexts, "files come from the checkout, from stages, or from what is handed in"
    assert not image.dockerfile.all("ADD")


@every_image
def test_it_runs_as_a_number_that_is_not_root(image: Image) -> None:
    user = image.dockerfile.user
    assert user is not None
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes can tell only of a number that it is not root"


@every_image
def test_it_is_labelled_and_starts_without_a_shell(image: Image) -> None:
    labels = " ".join(image.dockerfile.all("LABEL"))
    for name in ("title", "description", "licenses"):
        assert f"org.opencontainers.image.{name}=" in labels
    started = image.dockerfile.all("ENTRYPOINT") + image.dockerfile.all("CMD")
    assert started
    assert all(command.startswith("[") for command in started)


@every_image
def test_python_packages_are_pinned_by_hash_and_nothing_else_is_downloaded(image: Image) -> None:
    for command in image.dockerfile.all("RUN"):
        run = re.sub(r"apt-get install [^&]*", "", command)  # whose packages may be called like that
        assert not re.search(r"\b(curl|git|npm|go) ", run)
        assert not re.search(r"\bwget (?!\$\()", command)
        if re.search(r"\bpip .*\binstall\b", command):
            assert "--require-hashes" in command
            assert "--no-cache-dir" in command
        if "apt-get install" in command:
            assert "--no-install-recommends" in command
            assert "rm -rf /var/lib/apt/lists/*" in command


@pytest.mark.parametrize("path", sorted((ROOT / "requirements/images").glob("*.txt")), ids=lambda path: path.stem)
def test_requirements_of_images_have_hashes_and_the_versions_that_are_tested(path: Path) -> None:
    def pins(text: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[.*?\])?==([^ ;\\]+)", text, re.MULTILINE))

    text = path.read_text()
    ours, tested = pins(text), pins((ROOT / "requirements/runtime.txt").read_text())
    assert ours
    assert {name: version for name, version in ours.items() if name in tested and tested[name] != version} == {}
    for entry in re.split(r"\n(?=\S)", text.split("\n# The following", 1)[0]):
        assert entry.startswith("#") or "--hash=sha256:" in entry, entry


def test_a_dockerfile_is_read_as_docker_reads_it() -> None:
    text = """\
# comment
FROM debian:trixie-slim AS build
COPY --from=other /a /b
RUN one \\
    # between
    && two
copy one.txt ${KIND}/two /there/
FROM scratch
USER 7
USER 8:8
"""
    read = Dockerfile.parse(text)
    assert read.stages == [("debian:trixie-slim", "build"), ("scratch", None)]
    assert read.all("RUN") == ["one  && two"]
    assert read.copied({"KIND": "cpu"}) == ["one.txt", "cpu/two"]
    assert read.user == "8:8"
