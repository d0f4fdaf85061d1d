"""The models: an embedded llama.cpp, its scheduler, and the embedder."""
