"""Registered models: an alias is given to a version, moved, and taken away; each asks once."""

import httpx
import pytest
from playwright.sync_api import expect
from tests.portal.conftest import Visit

from trainyard import Client
from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform


def _aliases(config: PlatformConfig, name: str) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {config.api_token_file.read_text().strip()}"}
    answer = httpx.get(f"{config.url}/api/v1/models/{name}", headers=headers, timeout=60, trust_env=False).raise_for_status()
    aliases: dict[str, str] = answer.json()["aliases"]
    return aliases


def test_a_version_is_promoted_and_its_alias_is_taken_away(visit: Visit, config: PlatformConfig, client: Client, sample: str) -> None:
    model = client.get_job(sample).model
    assert model is not None
    page = visit.page
    visit.open("/models")
    table = page.get_by_role("region", name=f"Versions of {model.name}")
    row = table.get_by_role("row").filter(has_text=f"v{model.version}")
    row.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Alias")).to_have_value("champion")
    expect(dialog.get_by_text("It leads to no version now.")).to_be_visible()
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(row).to_contain_text("champion")
    assert _aliases(config, model.name) == {"champion": model.version}

    row.get_by_role("button", name="Take the alias champion away").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"models:/{model.name}@champion")
    page.get_by_role("button", name="Keep").click()
    expect(row).to_contain_text("champion")
    row.get_by_role("button", name="Take the alias champion away").click()
    page.get_by_role("button", name="Take it away").click()
    expect(row).not_to_contain_text("champion")
    assert _aliases(config, model.name) == {}
