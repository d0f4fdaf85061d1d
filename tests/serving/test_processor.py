import pytest

from app.serving import llama


@pytest.mark.parametrize(
    ("said", "has"),
    [
        (b"CPU : AVX2 = 1 | AVX512_BF16 = 1 | AMX_INT8 = 1 | REPACK = 1", True),
        (b"CPU : AVX2 = 1 | AVX512_BF16 = 1 | REPACK = 1", False),
    ],
)
def test_tiles_are_known_by_what_the_build_says_of_the_processor(monkeypatch, said, has):
    llama.prepare()
    monkeypatch.setattr(llama.native, "llama_print_system_info", lambda: said)

    assert llama.has_tiles() is has
