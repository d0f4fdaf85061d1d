import pytest

from app.serving import llama


@pytest.mark.parametrize(
    ("said", "may"),
    [
        (b"CPU : AVX2 = 1 | AVX512_BF16 = 1 | AMX_INT8 = 1 | REPACK = 1", False),
        (b"CPU : AVX2 = 1 | AVX512_BF16 = 1 | REPACK = 1", True),
    ],
)
def test_weights_are_not_laid_out_for_tiles_that_may_fault(monkeypatch, said, may):
    llama.prepare()
    monkeypatch.setattr(llama.native, "llama_print_system_info", lambda: said)

    assert llama.may_rearrange_weights() is may
