"""Look long: `python -m tests.fuzz MINUTES [SEED]` goes round after round, each with another seed, until one fails.

A seed that found something finds it again: `python -m tests.fuzz 1 SEED`. The find then becomes an `@example`.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time


def main(minutes: float, seed: int) -> int:
    """Return the exit code of the first round that fails, else 0; the round that is under way when time is up ends."""
    end = time.monotonic() + 60 * minutes
    rounds = 0
    while not rounds or time.monotonic() < end:
        print(f"round {rounds + 1}: seed {seed}", flush=True)
        command = [sys.executable, "-m", "pytest", "tests/fuzz", f"--hypothesis-seed={seed}", "-x"]
        code = subprocess.run(command, env=os.environ | {"HYPOTHESIS_PROFILE": "long"}).returncode
        if code:
            return code
        rounds += 1
        seed = secrets.randbelow(10**9)
    return 0


if __name__ == "__main__":
    asked = [float(one) for one in sys.argv[1:]]
    sys.exit(main(asked[0] if asked else 5.0, int(asked[1]) if len(asked) > 1 else secrets.randbelow(10**9)))
