import os

from hypothesis import given
from hypothesis import strategies as st

from app.serving import hardware
from app.serving.hardware import Device, Offload, context_length, kv_bytes_per_token, offload

CPU = Device("CPU", "a processor", gpu=False, memory_free=1, memory_total=1)
GPU = Device("CUDA0", "a graphics card", gpu=True, memory_free=1, memory_total=1)


def test_threads_are_cores_this_process_may_use():
    assert 1 <= hardware.cores() <= (os.cpu_count() or 1)


def test_there_is_memory():
    assert hardware.memory_available() > 0


def test_smollm_takes_45_megabytes_for_2048_tokens():
    assert 2048 * kv_bytes_per_token(layers=30, kv_heads=3, head_width=64) == 45 * 2**20


def test_a_context_is_as_long_as_the_model_and_memory_allow():
    assert context_length(asked=0, trained=131_072, bytes_per_token=1, memory=2**40) == 8_192
    assert context_length(asked=0, trained=2_048, bytes_per_token=1, memory=2**40) == 2_048
    assert context_length(asked=0, trained=8_192, bytes_per_token=10, memory=50_000) == 2_000
    assert context_length(asked=0, trained=8_192, bytes_per_token=10, memory=0) == 512


def test_what_was_asked_for_is_kept_up_to_what_the_model_was_trained_on():
    assert context_length(asked=100, trained=8_192, bytes_per_token=1, memory=0) == 100
    assert context_length(asked=99_999, trained=8_192, bytes_per_token=1, memory=0) == 8_192


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 2**45))
def test_a_context_always_has_a_length_and_never_more_than_trained(asked, trained, bytes_per_token, memory):
    length = context_length(asked=asked, trained=trained, bytes_per_token=bytes_per_token, memory=memory)

    assert 0 < length <= (trained or 8_192)


def test_without_a_gpu_everything_runs_on_the_cpu():
    assert offload(asked=-1, layers=30, devices=[CPU]) == Offload("CPU", 0)
    assert offload(asked=10, layers=30, devices=[]) == Offload("CPU", 0)


def test_with_a_gpu_layers_go_there_as_asked():
    assert offload(asked=-1, layers=30, devices=[CPU, GPU]) == Offload("CUDA0", 30)
    assert offload(asked=10, layers=30, devices=[GPU, CPU]) == Offload("CUDA0", 10)
    assert offload(asked=999, layers=30, devices=[GPU]) == Offload("CUDA0", 30)
    assert offload(asked=0, layers=30, devices=[GPU]) == Offload("CPU", 0)
