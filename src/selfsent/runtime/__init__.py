"""Tree and static models without torch: numpy, the compiled kernels and `tokenizers`, with the vectors of torch.

``open_model`` opens what it can, and gives None where a model needs torch; ``selfsent.loading.load`` opens the others.
"""

from selfsent.runtime.model_folder import open_model, why_torch
from selfsent.runtime.runtime_model import RuntimeModel

__all__ = ["RuntimeModel", "open_model", "why_torch"]
