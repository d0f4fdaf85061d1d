"""The child of `embedding_speed.py`: `python packaging/embed_timed.py MODEL.gguf "tiles"|"no tiles"`.

Says how many milliseconds a passage takes, computed as the program does it, on one thread.
"""

import statistics
import sys
import time
from pathlib import Path

from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel

_TOKENS = 128
_ROUNDS = 15


def main() -> None:
    model = NativeModel(Path(sys.argv[1]), tiles=sys.argv[2] == "tiles")
    context = NativeContext(model, length=_TOKENS, batch=_TOKENS, threads=1, pooled=True)
    passage = [1_000 + 7 * place for place in range(_TOKENS)]
    seconds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        context.embed([passage])
        seconds.append(time.perf_counter() - begun)
    context.free()
    model.free()
    print(statistics.median(seconds) * 1_000)


if __name__ == "__main__":
    main()
