"""Loads an epoch of synthetic images by a DataLoader with one worker process, and prints how long the first batch took and the rate."""

import time

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, DistributedSampler

SAMPLES = 60_000


class Images(Dataset):
    """Images of 64 by 64 points that are cut, turned and scaled as they are read."""

    def __init__(self) -> None:
        self.images = torch.randint(0, 256, (500, 3, 72, 72), dtype=torch.uint8)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        top, left = index % 8, index // 8 % 8
        image = self.images[index % 500, :, top : top + 64, left : left + 64].float().div_(255).sub_(0.5)
        return image.flip(2) if index % 2 else image, index % 10


def main() -> None:
    dist.init_process_group("gloo")
    dataset = Images()
    sampler = DistributedSampler(dataset, shuffle=True)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler, num_workers=1, persistent_workers=True)
    dist.barrier()
    begun, first, seen = time.perf_counter(), 0.0, 0
    for inputs, _ in loader:
        first = first or time.perf_counter() - begun
        seen += len(inputs)
    seconds = time.perf_counter() - begun
    dist.barrier()
    if dist.get_rank() == 0:
        print(f"first_batch_seconds {first:.4f}", flush=True)
        print(f"samples_per_second {(seen - 64) / (seconds - first):.1f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
