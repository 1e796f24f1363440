"""Count what lies in memory at most, without the memory: tensors that have shapes and no numbers (FakeTensorMode).

Every storage that is made in the block counts from its birth until the last tensor on it is gone. What a branch asks
of a number has no answer there, so it gets one: true, 0 or 1.0, and every mask is full. The fakes are labelled CPU:
autograd refuses a CUDA label where no card is. Attention keeps what memory-saving kernels keep, there as on a T4. What
those kernels work with for a moment is not seen, nor what libraries keep.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from course_utils.catalog import carried

ROUNDED = 512  # bytes: the CUDA allocator gives memory in blocks of it

ITEMS = {torch.bool: True}  # other whole numbers are 0
aten = torch.ops.aten


class Count(TorchDispatchMode):
    """How many bytes are held, and how many were held at most."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self._met: WeakIdKeyDictionary = WeakIdKeyDictionary()  # storages

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Run an operation, and count what it made."""
        made = answered(function, args)
        if made is NotImplemented:
            made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, FakeTensor):
                self._meet(tensor.untyped_storage())
        return made

    def _meet(self, storage: torch.UntypedStorage) -> None:
        if storage in self._met:
            return
        size = -(-storage.nbytes() // ROUNDED) * ROUNDED
        self._met[storage] = size
        weakref.finalize(storage, self._forget, size)
        self.held += size
        self.peak = max(self.peak, self.held)

    def _forget(self, size: int) -> None:
        self.held -= size


def answered(function, args: tuple) -> object:
    """Answer what only numbers could: true, 0 or 1.0, a mask is full; `NotImplemented` for all else."""
    if function is aten._local_scalar_dense.default:
        return 1.0 if args[0].is_floating_point() else ITEMS.get(args[0].dtype, 0)
    if function is aten.nonzero.default:
        return args[0].new_zeros((args[0].numel(), args[0].ndim), dtype=torch.int64)
    if function is aten.index.Tensor and any(i is not None and i.dtype == torch.bool for i in args[1]):
        (mask,) = (i for i in args[1] if i is not None)
        return args[0].reshape(mask.numel(), *args[0].shape[mask.ndim :]).clone()
    return NotImplemented


@torch.no_grad()
def converted(module: torch.nn.Module, convert, recurse: bool = True) -> torch.nn.Module:
    """Do what `Module._apply` does: it would swap tensors, which fakes refuse."""
    for part in module.modules() if recurse else [module]:
        for name, p in part._parameters.items():
            if p is not None and (new := convert(p)) is not p:
                part._parameters[name] = torch.nn.Parameter(new, p.requires_grad)
        for name, buffer in part._buffers.items():
            part._buffers[name] = None if buffer is None else convert(buffer)
    return module


@contextmanager
def counted() -> Iterator[Count]:
    """Let nothing in the block have numbers, and count it; half precision is float16, as on a T4."""
    precision = import_module("course_utils.training.optimizers")  # the room has a function of that name
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # about ranges of numbers that are none
        stack.enter_context(mock.patch.object(torch.nn.Module, "_apply", converted))
        stack.enter_context(mock.patch.object(precision, "low_precision", lambda device: torch.float16))
        stack.enter_context(mock.patch.object(carried, "fingerprint", lambda model: "none"))  # it reads numbers
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield stack.enter_context(Count())
