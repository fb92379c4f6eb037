"""How a ready trainer computes: number format, memory layout, threads, and where its data lie; chosen for the device."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

#: Data go to a GPU whole when they take no more than this part of what is free there; model, gradients and activations need the rest.
_PART_FOR_DATA = 0.25


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The reduced type to compute in, or None for fp32."""
    if precision == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


@dataclass(frozen=True)
class Computing:
    """``dtype`` is autocast's, None for fp32; ``layout`` is that of images (N, C, H, W) and of the weights of convolutions."""

    device: torch.device
    dtype: torch.dtype | None
    layout: torch.memory_format

    @classmethod
    def choose(cls, device: torch.device, precision: str, *, channels_last: bool) -> Computing:
        """What fits the device; ``precision`` is the parameter of that name."""
        return cls(device, autocast_dtype(precision, device), torch.channels_last if channels_last else torch.contiguous_format)

    def model(self, model: nn.Module) -> nn.Module:
        """The model on the device, in the layout."""
        return model.to(self.device).to(memory_format=self.layout)

    def data(self, dataset: TensorDataset) -> TensorDataset:
        """The data set, on the GPU itself when it is small there: then no batch waits for the bus."""
        if self.device.type != "cuda":
            return dataset
        free, _ = torch.cuda.mem_get_info(self.device)
        if sum(tensor.nbytes for tensor in dataset.tensors) > _PART_FOR_DATA * free:
            return dataset
        return TensorDataset(*(tensor.to(self.device) for tensor in dataset.tensors))

    def moved(self, tensor: Tensor) -> Tensor:
        """A batch on the device. To a GPU it goes from pinned memory, so that the copy runs beside the computation."""
        if tensor.device == self.device or self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def laid_out(self, inputs: Tensor) -> Tensor:
        """A batch in the layout of the model's weights."""
        return inputs.contiguous(memory_format=self.layout)

    def autocast(self) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def __str__(self) -> str:
        """One line for the log."""
        threads = torch.get_num_threads()
        where = "a GPU" if self.device.type == "cuda" else f"{threads} CPU thread{'s' if threads > 1 else ''}"
        number = {None: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self.dtype]
        layout = ", channels-last" if self.layout is torch.channels_last else ""
        return f"each rank computes on {where} in {number}{layout}"
