"""A function for Trainyard, with metrics, checkpoints and resuming; also runs alone: `python function_example.py`.

trainyard submit function_example.py --function function_example:main --workers 2 -c epochs=20 --watch
"""

import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import trainyard_train as ty


def make_data(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A noisy linear map from 8 features to one value."""
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(count, 8, generator=generator)
    weights = torch.linspace(-1, 1, 8)
    return features, features @ weights + 0.1 * torch.randn(count, generator=generator)


def main(config: dict) -> None:
    """Train for ``config["epochs"]`` epochs, going on after the last checkpoint of an earlier attempt."""
    epochs = config.get("epochs", 10)
    ty.init_distributed()
    device = ty.device()
    features, targets = make_data(1_024)
    features, targets = features[ty.rank() :: ty.world_size()].to(device), targets[ty.rank() :: ty.world_size()].to(device)
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)).to(device)
    model = DistributedDataParallel(network) if ty.world_size() > 1 else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.get("lr", 1e-2))

    first = 0
    checkpoint = ty.resume_checkpoint()
    if checkpoint is not None:
        state = torch.load(checkpoint.path / "state.pt", map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first = checkpoint.step + 1
        print(f"resuming at epoch {first}", flush=True)

    for epoch in range(first, epochs):
        for inputs, wanted in zip(features.split(64), targets.split(64), strict=True):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs).squeeze(1), wanted)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.8f}", flush=True)
        if ty.rank() == 0:
            with tempfile.TemporaryDirectory() as folder:
                torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict()}, Path(folder) / "state.pt")
                ty.report({"loss": loss.item()}, step=epoch, checkpoint=folder)
        if config.get("fail_at") == epoch and checkpoint is None:
            raise RuntimeError(f"failing at epoch {epoch}, as the config asks")
    ty.log_model(network, input_example=features[:4].cpu().numpy(), name=config.get("model"))


if __name__ == "__main__":
    main({})
