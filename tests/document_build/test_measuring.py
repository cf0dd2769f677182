"""Which weight hybrid search gets of several that are as good as the best."""

import numpy as np

from selfsent.document_build.measuring import weight_of
from selfsent.evaluation.fusion_weight import WEIGHTS

FLAT = np.zeros(len(WEIGHTS))
RISING = np.linspace(0, 1, len(WEIGHTS))


def test_the_middle_of_the_best_weights_is_taken_where_held_out_documents_ask():
    assert weight_of([FLAT], [FLAT]) == WEIGHTS[len(WEIGHTS) // 2]
    assert weight_of([RISING], [RISING[::-1]]) == WEIGHTS[len(WEIGHTS) // 2]


def test_documents_that_were_learned_from_ask_for_the_least_weight_that_is_as_good():
    assert weight_of([FLAT]) == 0.0
    assert weight_of([RISING]) == 1.0


def test_without_questions_words_and_meaning_count_alike():
    assert weight_of([]) == 0.5
