# SPDX-License-Identifier: BSD-2-Clause
"""What runs a case of tests/parity and writes down what was seen."""

import sys
from pathlib import Path

# Frames, names and the daemon are those of the end-to-end tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
