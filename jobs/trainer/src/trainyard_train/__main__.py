"""Entry point of a job's Ray driver: `python -m trainyard_train`."""

import sys

from trainyard_train.driver import main

if __name__ == "__main__":
    sys.exit(main())
