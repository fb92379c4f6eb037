"""A platform that is up."""

import pytest
from tests.embedded.conftest import CommandLine

from trainyard.embedded.config import PlatformConfig

pytestmark = pytest.mark.platform


def test_second_up_is_refused(trainyard: CommandLine, config: PlatformConfig) -> None:
    refused = trainyard("up")
    assert refused.code == 5
    assert config.url in refused.err
    assert trainyard("status").code == 0
