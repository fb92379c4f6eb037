"""Names of images and what a team's patterns allow."""

import pytest

from trainyard_api.images import ImagePattern, ImageReference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.com/vision/trainer:1.2", ("registry.example.com", "vision/trainer", "1.2", None)),
        (f"localhost/trainer@{DIGEST}", ("localhost", "trainer", None, DIGEST)),
        (f"localhost:5001/a/b-c__d/e.f:Tag_1@{DIGEST}", ("localhost:5001", "a/b-c__d/e.f", "Tag_1", DIGEST)),
        ("10.0.0.1:443/x", ("10.0.0.1:443", "x", None, None)),
    ],
)
def test_an_image_by_its_whole_name(text: str, expected: tuple[str, str, str | None, str | None]) -> None:
    assert ImageReference.parse(text) == ImageReference(*expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "trainer",
        "trainer:1",
        "vision/trainer",
        "registry.example.com/",
        "registry.example.com/Vision",
        "registry.example.com//a",
        "registry.example.com/a:",
        "registry.example.com/a:-x",
        "registry.example.com/a@sha256:abc",
        "registry.example.com/a@md5:" + "a" * 32,
        "registry.example.com/a\n",
        "registry.example.com/a b",
        "registry.example.com/../a",
        "https://registry.example.com/a",
        "registry.example.com/$(HOME)",
        "registry.example.com/" + "a" * 600,
        "-registry.example.com/a",
        "registry.example.com:99999999/a",
    ],
)
def test_what_names_no_image(text: str) -> None:
    with pytest.raises(ValueError, match="name"):
        ImageReference.parse(text)


@pytest.mark.parametrize(
    ("pattern", "image", "allowed"),
    [
        ("registry.example.com/vision/*", "registry.example.com/vision/a/b:1", True),
        ("registry.example.com/vision/*", f"registry.example.com/vision/a@{DIGEST}", True),
        ("registry.example.com/vision/*", "registry.example.com/nlp/a", False),
        ("registry.example.com/vision/*", "registry.example.com/visions/a", False),
        ("registry.example.com/*", "registry.example.com.evil.org/a", False),
        ("*.example.com/*", "a.example.com/x", True),
        ("*.example.com/x", "evil.org/a.example.com/x", False),
        ("registry.example.com/a", "registry.example.com/a:7", True),
        ("registry.example.com/a:1.*", "registry.example.com/a:1.2", True),
        ("registry.example.com/a:1.*", "registry.example.com/a:2", False),
        ("registry.example.com/a:1.*", "registry.example.com/a", False),
        ("registry.example.com/a:latest", "registry.example.com/a", True),
        ("registry.example.com/a:1.*", f"registry.example.com/a:1.2@{DIGEST}", False),
        (f"registry.example.com/a@{DIGEST}", f"registry.example.com/a:9@{DIGEST}", True),
        (f"registry.example.com/a@{DIGEST}", "registry.example.com/a:9", False),
        ("*", "anything.example.com/at/all:1", True),
        ("localhost:5001/*", "localhost:5001/trainyard/trainer:1", True),
    ],
)
def test_what_a_pattern_allows(pattern: str, image: str, allowed: bool) -> None:
    assert ImagePattern.parse(pattern).allows(ImageReference.parse(image)) is allowed


@pytest.mark.parametrize("text", ["", "vision/*", "a", "registry.example.com/[ab]", "registry.example.com/a b", "registry.example.com"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="is no pattern of images"):
        ImagePattern.parse(text)
