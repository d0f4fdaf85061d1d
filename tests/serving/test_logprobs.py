import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.serving.logprobs import log_softmax


@given(arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_probabilities_add_up_to_one_whatever_the_scores(scores):
    logarithms = log_softmax(scores)

    assert np.all(logarithms <= 1e-12)
    assert np.exp(logarithms).sum() == pytest.approx(1.0)


def test_an_impossible_token_has_no_probability():
    logarithms = log_softmax(np.array([0.0, 0.0, -np.inf], np.float32))

    assert logarithms.tolist() == [pytest.approx(math.log(0.5)), pytest.approx(math.log(0.5)), -math.inf]
