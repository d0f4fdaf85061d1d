"""A peer of the embedder, for embedding.py: lines of JSON in (a list of texts) and out.

    python embedding_peer.py torch|high_level MODEL THREADS

Imports nothing of Carrel: it runs under whatever interpreter has the peer.
"""

import json
import sys
import time
from collections.abc import Callable

Vectors = list[list[float]]


def torch_f32(model: str, threads: int) -> Callable[[list[str]], Vectors]:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    loaded = SentenceTransformer(model, device="cpu")
    return lambda texts: loaded.encode(texts, batch_size=32, normalize_embeddings=True)


def high_level(model: str, threads: int) -> Callable[[list[str]], Vectors]:
    from llama_cpp import Llama

    loaded = Llama(
        model, embedding=True, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    return lambda texts: [entry["embedding"] for entry in loaded.create_embedding(texts)["data"]]


def main() -> None:
    kind, model, threads = sys.argv[1:]
    embed = {"torch": torch_f32, "high_level": high_level}[kind](model, int(threads))
    for line in sys.stdin:
        texts = json.loads(line)
        begun = time.perf_counter()
        vectors = embed(texts)
        seconds = time.perf_counter() - begun
        told = {"seconds": seconds, "vectors": [[float(x) for x in vector] for vector in vectors]}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
