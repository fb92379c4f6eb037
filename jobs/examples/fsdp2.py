"""Sharded training with FSDP2 (fully_shard): parameters, gradients and optimizer state are spread over the ranks.

torchrun --nproc-per-node 2 fsdp2.py
trainyard submit fsdp2.py --workers 2 --watch
"""

import os

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard


class Decoder(nn.Module):
    """A small causal transformer that predicts the next token."""

    def __init__(self, vocabulary: int = 32, width: int = 64, layers: int = 2) -> None:
        """Token and position embeddings, ``layers`` blocks, one output layer."""
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(16, width)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True) for _ in range(layers))
        self.output = nn.Linear(width, vocabulary)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, T) token ids to (N, T, vocabulary) logits."""
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=tokens.device)
        hidden = self.tokens(tokens) + self.positions(torch.arange(length, device=tokens.device))
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask, is_causal=True)
        return self.output(hidden)


def main() -> None:
    """Learn to count modulo 32 from random starts; print the loss of every step."""
    device_type = "cuda" if torch.cuda.is_available() else "cpu"
    if device_type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend="nccl" if device_type == "cuda" else "gloo")
    torch.manual_seed(11)
    model = Decoder().to(device_type)
    mesh = init_device_mesh(device_type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    torch.manual_seed(100 + dist.get_rank())  # from here on every rank has data of its own
    for step in range(8):
        starts = torch.randint(0, 32, (16, 1))
        sequence = ((starts + torch.arange(13)) % 32).to(device_type)
        logits = model(sequence[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), sequence[:, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        if dist.get_rank() == 0:
            print(f"step {step} loss {mean.item() / dist.get_world_size():.8f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
