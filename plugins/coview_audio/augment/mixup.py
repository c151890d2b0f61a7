"""BYOL-A's mixup: a little of an earlier sound as background."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

import coview
from coview_audio.augment.log_mel import MelBatch, log_mel_of, with_log_mel


class Mixup(nn.Module):
    """BYOL-A's log-mixup-exp (arXiv:2103.06695, §III-B): each spectrogram x becomes log((1 - λ) exp x + λ exp y), a mix
    of powers, where y is drawn from the spectrograms of earlier batches. Where ``log_mel`` normalises, x and y are
    normalised, as the paper's are. The memory is part of every checkpoint; in the first batch it is empty, and nothing
    is mixed.

    Args:
        alpha: λ is drawn from 0 to this; the paper's 0.4.
        memory: How many spectrograms are kept, the oldest are dropped first; the paper's 2048.
    """

    batch: ClassVar[bool] = True
    memory_MFT: Tensor
    seen: Tensor

    def __init__(self, *, alpha: Annotated[float, Gt(0), Le(1)] = 0.4, memory: Annotated[int, Ge(1)] = 2048) -> None:
        super().__init__()
        self.alpha, self.size = alpha, memory
        # its shape is that of the first batch; float16 holds a level to within 0.1 dB
        self.register_buffer("memory_MFT", torch.empty(0, 0, 0, dtype=torch.float16))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self._seen: int | None = 0  # known here as well, since asking a GPU for it would make it wait

    def forward(self, batch: MelBatch, rng: coview.BatchRng, /) -> MelBatch:
        """The batch with backgrounds; its own spectrograms are kept as they came."""
        log_mel_NFT, _ = log_mel_of(batch, "mixup")
        share_N, which_N = rng.uniform(2).T
        if self._seen is None:
            self._seen = int(self.seen)
        kept = min(self._seen, self.size)
        mixed_NFT = log_mel_NFT
        if kept:
            memory_MFT = self._memory(log_mel_NFT)
            other_NFT = memory_MFT[(which_N * kept).long()].to(log_mel_NFT.dtype)
            weight_N11 = (share_N * self.alpha).view(-1, 1, 1)
            mixed_NFT = torch.logaddexp(log_mel_NFT + torch.log1p(-weight_N11), other_NFT + weight_N11.log())
        self._keep(log_mel_NFT, self._seen)
        self._seen += len(log_mel_NFT)
        self.seen.fill_(self._seen)
        return with_log_mel(batch, mixed_NFT)

    def _memory(self, log_mel_NFT: Tensor) -> Tensor:
        memory_MFT: Tensor = self.memory_MFT
        if memory_MFT.shape[1:] != log_mel_NFT.shape[1:]:
            before, now = (" × ".join(map(str, tensor.shape[1:])) for tensor in (memory_MFT, log_mel_NFT))
            raise coview.CoviewError(
                f"mixup needs spectrograms of one size, and these are of {now} where the earlier ones were of {before}",
                hint='put use = "random_excerpt" before it in [[augment]], so that all sounds have one length',
            )
        return memory_MFT

    def _keep(self, log_mel_NFT: Tensor, seen: int) -> None:
        if seen == 0:
            self.memory_MFT = log_mel_NFT.new_zeros((self.size, *log_mel_NFT.shape[1:]), dtype=torch.float16)
        memory_MFT = self._memory(log_mel_NFT)
        newest_NFT = log_mel_NFT[-self.size :]
        first = seen + len(log_mel_NFT) - len(newest_NFT)
        place_N = torch.arange(first, first + len(newest_NFT), device=memory_MFT.device) % self.size
        memory_MFT[place_N] = newest_NFT.to(torch.float16)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        kept: Tensor | None = state_dict.get(f"{prefix}memory_MFT")
        if kept is not None:
            self.memory_MFT = torch.empty_like(kept, device=self.seen.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._seen = None
