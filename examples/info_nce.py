"""InfoNCE worked out by hand, and by the loss. First: pip install selfsent."""

import math

import torch

from selfsent.losses.functional import info_nce

anchor = torch.tensor([[0.8109, -0.9391, 0.2519]])
positive = torch.tensor([[-1.2887, 1.5057, 0.4449]])
negative = torch.tensor([[2.1968, 0.4785, 1.5207]])
temperature = 0.5


def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    """Inner product of two vectors divided by their lengths."""
    return float((one @ other.T) / (one.norm() * other.norm()))


to_positive = cosine(anchor, positive) / temperature  # -0.9126 / 0.5 = -1.8252
to_negative = cosine(anchor, negative) / temperature  # 0.4991 / 0.5 = 0.9982
share = math.exp(to_positive) / (math.exp(to_positive) + math.exp(to_negative))  # 0.0561
print(f"scaled cosines {to_positive:.4f} and {to_negative:.4f}")
print(f"softmax of the positive {share:.4f}, loss -log of it = {-math.log(share):.4f} nats")

by_the_loss = float(info_nce(anchor, positive, negative, temperature=temperature))
print(f"selfsent.losses.functional.info_nce gives {by_the_loss:.4f}")
assert math.isclose(by_the_loss, 2.881116, abs_tol=1e-6)

# Captions of one picture: every caption is found among those of the other picture, its own siblings left out.
captions = torch.stack([torch.cat([positive, anchor]), torch.cat([negative, negative])])
pictures = torch.cat([anchor, negative])
several = float(info_nce(pictures, captions, temperature=temperature))
print(f"two pictures of two captions each: {several:.4f}")
