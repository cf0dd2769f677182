"""The affine cell inside a Triton program: small products of channels with weights that stay in registers."""

# Triton is not on every machine, so its types are not known where this is checked.
# pyright: reportInvalidTypeForm=false, reportUnknownParameterType=false

from selfsent.kernels.triton_language import tl, triton

_PRODUCTS_A_BLOCK = 1 << 13


def channel_blocks(dimension: int, size: int) -> dict[str, int]:
    """Divide channels into groups whose products with the weights fit the registers.

    Args:
        dimension: D, values of an embedding.
        size: U, values of a channel.
    """
    channels, padded = dimension // size, triton.next_power_of_2(size)
    most = max(_PRODUCTS_A_BLOCK // (padded * padded), 1)
    channels_a_block = min(triton.next_power_of_2(channels), most)
    return {
        "channels": channels,
        "size": size,
        "channels_a_block": channels_a_block,
        "padded": padded,
        "num_blocks": triton.cdiv(channels, channels_a_block),
    }


@triton.jit
def load_weight(weight: tl.tensor, stride: tl.constexpr, size: tl.constexpr, padded: tl.constexpr) -> tl.tensor:
    """A square of weights, output values down and input values across, zeros beyond it."""
    value = tl.arange(0, padded)
    inside = (value < size)[:, None] & (value < size)[None, :]
    return tl.load(weight + value[:, None] * stride + value[None, :], mask=inside, other=0.0)


@triton.jit
def multiply(channels: tl.tensor, weight: tl.tensor) -> tl.tensor:
    """``channels @ weight.T``, (C, U)."""
    return tl.sum(channels[:, None, :] * weight[None, :, :], axis=2)


@triton.jit
def transposed_multiply(gradient: tl.tensor, weight: tl.tensor) -> tl.tensor:
    """``gradient @ weight``, (C, U): what the channels get through the weights."""
    return tl.sum(gradient[:, :, None] * weight[None, :, :], axis=1)


@triton.jit
def outer(gradient: tl.tensor, channels: tl.tensor) -> tl.tensor:
    """``gradient.T @ channels``, (U, U): what the weights get from the channels."""
    return tl.sum(gradient[:, :, None] * channels[:, None, :], axis=0)
