"""How fast this machine computes an embedding model: `python packaging/embedding_speed.py MODEL.gguf`.

Says how many milliseconds a passage takes, as the program would compute it: on one thread, with flash
attention, in a process of its own that may die of it.
"""

import ctypes
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

_TOKENS = 128
_ROUNDS = 15
_LIMIT_S = 60.0


def measured(model: Path) -> float | None:
    """Milliseconds for one passage; None: it cannot be computed here.

    Weights are laid out anew for what only this processor has, unless that ends the process.
    """
    for laid_out_anew in ("1", "0"):
        command = [sys.executable, str(Path(__file__).resolve()), str(model), laid_out_anew]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return float(done.stdout)
    return None


def _measure(model: Path, *, laid_out_anew: bool) -> float:
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    import llama_cpp.llama_cpp as llama  # noqa: PLC0415 - only this child needs llama.cpp

    silent = llama.llama_log_callback(lambda _level, _text, _data: None)
    llama.llama_log_set(silent, ctypes.c_void_p(0))
    llama.llama_backend_init()
    options = llama.llama_model_default_params()
    options.n_gpu_layers = 0
    options.use_extra_bufts = laid_out_anew
    weights = llama.llama_model_load_from_file(os.fsencode(model), options)
    context = llama.llama_context_default_params()
    context.n_ctx = context.n_batch = context.n_ubatch = _TOKENS
    context.n_threads = context.n_threads_batch = 1
    context.embeddings = True
    context.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_ENABLED
    opened = llama.llama_init_from_model(weights, context)
    batch = llama.llama_batch_init(_TOKENS, 0, 1)
    for place in range(_TOKENS):
        batch.token[place], batch.pos[place] = 1_000 + 7 * place, place
        batch.n_seq_id[place], batch.seq_id[place][0], batch.logits[place] = 1, 0, 1
    batch.n_tokens = _TOKENS
    seconds = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        if llama.llama_encode(opened, batch) != 0:
            raise RuntimeError("llama.cpp refused the batch")
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds) * 1_000


if __name__ == "__main__":
    print(_measure(Path(sys.argv[1]), laid_out_anew=sys.argv[2] == "1"))
