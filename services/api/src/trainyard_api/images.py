"""Names of container images: what is one, and which of them a list of patterns allows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator

_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<registry>{_HOST})/(?P<repository>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z",
    re.ASCII,
)
_PATTERN = re.compile(
    r"(?:(?P<registry>[A-Za-z0-9.:*-]+)/)?(?P<repository>[a-z0-9._/*-]+)"
    r"(?::(?P<tag>[A-Za-z0-9_.*-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z",
    re.ASCII,
)
LONGEST = 512


@dataclass(frozen=True)
class ImageReference:
    """An image by its whole name."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """What ``text`` names. Raises ValueError, which says what is wrong with it.

        The registry must be named: what a short name stands for is up to each node.
        """
        found = _REFERENCE.match(text) if len(text) <= LONGEST else None
        if found is None:
            raise ValueError("is not the name of an image: registry/repository, then :tag, @sha256:digest or both")
        reference = cls(**found.groupdict())
        if not _is_host(reference.registry):
            raise ValueError(f"does not name a registry: {reference.registry!r} is not a host")
        return reference


@dataclass(frozen=True)
class ImagePattern:
    """Images that are allowed. ``*`` stands for any characters, in the registry's place for those of a host only.

    One that names no tag allows every tag and digest. One that names a tag allows no digest, for a digest would win over the tag.
    """

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImagePattern:
        """The pattern that ``text`` spells. Raises ValueError."""
        if text == "*":
            return cls("*", "*", None, None)
        found = _PATTERN.match(text)
        if found is None or not _is_host(found["registry"] or ""):
            raise ValueError(f"{text!r} is no pattern of images; write one like registry.example.com/vision/*")
        return cls(**found.groupdict())

    def allows(self, image: ImageReference) -> bool:
        """Whether this pattern allows the image."""
        if not (fnmatchcase(image.registry, self.registry) and fnmatchcase(image.repository, self.repository)):
            return False
        if self.digest is not None:
            return image.digest == self.digest
        return self.tag is None or (image.digest is None and fnmatchcase(image.tag or "latest", self.tag))


def _is_host(registry: str) -> bool:
    """Whether a name's first part is a registry, as container runtimes tell it from a folder."""
    return registry == "localhost" or any(mark in registry for mark in ".:*")


def _pattern(text: str) -> str:
    ImagePattern.parse(text)
    return text


#: A pattern as it is written in a teams file.
PatternText = Annotated[str, AfterValidator(_pattern)]
