"""Data-parallel training with DistributedDataParallel; runs under torchrun and under Trainyard as it is.

torchrun --nproc-per-node 2 ddp.py
trainyard submit ddp.py --workers 2 --watch
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def make_spirals(count: int) -> TensorDataset:
    """Points on two intertwined spirals, and which spiral each is on."""
    labels = torch.arange(count) % 2
    angle = torch.rand(count) * 3 * torch.pi
    radius = angle / (3 * torch.pi)
    points = torch.stack([radius * torch.cos(angle + labels * torch.pi), radius * torch.sin(angle + labels * torch.pi)], dim=1)
    return TensorDataset(points + 0.01 * torch.randn(count, 2), labels)


def main() -> None:
    """Train for five epochs and print the mean loss of each."""
    dist.init_process_group(backend="nccl" if torch.cuda.is_available() else "gloo")
    torch.manual_seed(7)
    dataset = make_spirals(2_000)
    sampler = DistributedSampler(dataset, seed=7)
    loader = DataLoader(dataset, batch_size=50, sampler=sampler)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    criterion = nn.CrossEntropyLoss()

    for epoch in range(5):
        sampler.set_epoch(epoch)
        total = torch.zeros(())
        for points, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(points), labels)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        dist.all_reduce(total)
        if dist.get_rank() == 0:
            print(f"epoch {epoch} loss {total.item() / len(loader) / dist.get_world_size():.8f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
