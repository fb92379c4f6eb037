"""`python -m trainyard`: the same as the `trainyard` command."""

import sys

from trainyard.main import main

if __name__ == "__main__":
    sys.exit(main())
