"""The modules of the benchmarks are scripts beside each other: their folder goes on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
