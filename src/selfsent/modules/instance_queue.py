"""A first-in, first-out queue of earlier sentence vectors, which belongs to the loss and is saved with it."""

import torch
from jaxtyping import Float
from sentence_transformers.util import all_gather
from torch import Tensor, nn
from torch.nn import functional

from selfsent.errors import UserError
from selfsent.kernels.gathered_rows import trains_across_ranks


class InstanceQueue(nn.Module):
    """Hold the latest rows of all ranks, the newest in the place of the oldest.

    The rows stand in a ring: a step writes the new rows and moves none. A softmax over the queue does not depend on the
    order. Rows and place are persistent buffers, so they move and are saved with the loss, and a resumed run continues
    exactly.

    Source: SCT (Limkonchotiwat et al., TACL 2023), Section 3 and released code: two queues of 131,072 unit vectors at
    most, filled with random-normal directions at the start.

    Args:
        num_rows: Q, how many rows are held, at least 1.
        width: D of a row, at least 1.

    Raises:
        UserError: A number is below 1.
    """

    rows: Tensor
    next_row: Tensor

    def __init__(self, num_rows: int, width: int) -> None:
        super().__init__()
        if num_rows < 1 or width < 1:
            raise UserError(f"num_rows and width must be at least 1, got {num_rows} and {width}")
        self.register_buffer("rows", functional.normalize(torch.randn(num_rows, width), dim=1))
        self.register_buffer("next_row", torch.zeros((), dtype=torch.int64))

    def enqueue(self, rows: Float[Tensor, "B D"]) -> Float[Tensor, "Q D"]:
        """Put the rows of all ranks in the place of the oldest; of more rows than fit the last are kept.

        Without gradients (in an evaluation) the queue stays as it is, and a copy with the new rows is returned.

        Args:
            rows: New rows of this rank, unit vectors; they are detached.

        Returns:
            All rows, the new ones included, in no particular order.
        """
        new = gathered(rows.detach()).to(self.rows.dtype)[-len(self.rows) :]
        places = (self.next_row + torch.arange(len(new), device=new.device)) % len(self.rows)
        if not torch.is_grad_enabled():
            return self.rows.index_copy(0, places, new)
        self.rows.index_copy_(0, places, new)
        self.next_row.add_(len(new)).remainder_(len(self.rows))
        return self.rows

    def oldest_first(self) -> Float[Tensor, "Q D"]:
        """Return a copy of the rows in the order in which they came."""
        return self.rows.roll(-int(self.next_row), dims=0)

    def __len__(self) -> int:
        return len(self.rows)


def gathered(rows: Float[Tensor, "B D"]) -> Float[Tensor, "M D"]:
    """Return the rows of all ranks in their order; those of a process that is alone, or evaluates, as they are."""
    return all_gather(rows.contiguous()) if trains_across_ranks() else rows
