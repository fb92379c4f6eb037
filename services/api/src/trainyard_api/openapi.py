"""`python -m trainyard_api.openapi > services/api/openapi.json`: the OpenAPI document, the same on every machine."""

import json
import sys
import tempfile
from pathlib import Path

from trainyard_api.app import create_app
from trainyard_api.routes.document import document
from trainyard_api.settings import Settings


def rendered() -> str:
    """The document as the file in the repository holds it."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(state_dir=Path(folder), database_url="", object_store_url="", api_token_file=None))
        return json.dumps(document(app), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rendered())
