"""Whether a job may run in the image that it names."""

from trainyard_api.images import ImageReference
from trainyard_api.services.errors import FieldError
from trainyard_api.settings import Settings
from trainyard_api.teams import Team


def image_errors(settings: Settings, team: Team | None, image: str | None) -> list[FieldError]:
    """What is wrong with it for a job of this team; nothing when none is named. Without a team, only the name itself is looked at."""
    if image is None:
        return []
    if settings.engine == "local":
        return [FieldError("image", "the embedded platform runs jobs in its own environment", "leave image out")]
    try:
        reference = ImageReference.parse(image)
    except ValueError as error:
        return [FieldError("image", str(error), "write it like registry.example.com/vision/trainer:1.2")]
    if team is None or image in (settings.trainer_image, settings.trainer_cuda_image) or team.allows_image(reference):
        return []
    if not team.allowed_images:
        return [FieldError("image", f"jobs of the team {team.name} run in the platform's own image", "leave image out")]
    return [FieldError("image", f"the team {team.name} may not run it", f"use one that fits: {', '.join(team.allowed_images)}")]
