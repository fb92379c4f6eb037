"""Ray Data in front of DistributedDataParallel: a Ray of each rank's own prepares its share of the batches beside the training.

torchrun --nproc-per-node 2 ray_data.py
trainyard submit ray_data.py --workers 2 --watch
"""

import os

import numpy as np
import ray
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

ROWS = 4_000


def with_features(rows: dict[str, np.ndarray], rank: int, world: int) -> dict[str, np.ndarray]:
    """This rank's part of the row numbers, as points (N, 2) and what is to be learned of them (N,); stands for decoding files."""
    angle = rows["id"][rows["id"] % world == rank] * 0.37
    points = np.stack([np.sin(angle), np.cos(3 * angle)], axis=1).astype(np.float32)
    return {"points": points, "goal": points[:, 0] * points[:, 1]}


def main() -> None:
    """Three epochs over this rank's rows; print the mean loss of each."""
    cpus = int(os.environ.get("OMP_NUM_THREADS", "1"))
    # Of this process alone: it ends with it, and needs no token of the platform's Ray. Batches are the only things in its object store.
    ray.init(address="local", num_cpus=cpus, object_store_memory=256 * 2**20, include_dashboard=False, log_to_driver=False)
    dist.init_process_group(backend="nccl" if torch.cuda.is_available() else "gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    # The rows are shared out, as files would be: ray.data.read_parquet(files[rank::world]).
    data = ray.data.range(ROWS).map_batches(with_features, fn_kwargs={"rank": rank, "world": world})
    torch.manual_seed(3)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(3):
        total, steps = torch.zeros(()), 0
        for batch in data.iter_torch_batches(batch_size=100, drop_last=True, prefetch_batches=2):
            loss = nn.functional.mse_loss(model(batch["points"]).squeeze(1), batch["goal"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, steps = total + loss.detach(), steps + 1
        dist.all_reduce(total)
        if rank == 0:
            print(f"epoch {epoch} loss {total.item() / steps / world:.6f}")
    dist.destroy_process_group()
    ray.shutdown()


if __name__ == "__main__":
    main()
