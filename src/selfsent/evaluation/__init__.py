"""How good a model is: one protocol, an interval on every figure, paired comparisons."""
