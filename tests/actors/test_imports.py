import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["actors.reward", "actors.curriculum"])
def test_actors_that_compute_nothing_start_without_torch(module: str) -> None:
    program = f"import sys, {module}\nsys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
