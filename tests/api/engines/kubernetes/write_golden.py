"""`python -m tests.api.engines.kubernetes.write_golden`: write the documents that test_rayjob.py expects."""

import json

from tests.api.engines.kubernetes.test_rayjob import CASES, GOLDEN

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, case in CASES.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(case(), indent=2, sort_keys=True) + "\n")
