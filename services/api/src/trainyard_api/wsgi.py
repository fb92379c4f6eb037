"""For gunicorn: `gunicorn -k gthread trainyard_api.wsgi:app`, one app per process."""

import logging
import sys

from trainyard_api.app import create_app
from trainyard_api.settings import Settings

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
logging.getLogger("httpx").setLevel(logging.WARNING)

app = create_app(Settings())
