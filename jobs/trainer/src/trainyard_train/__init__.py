"""What training code can ask of Trainyard; everything is optional, plain torchrun programs need none of it.

    import trainyard_train as ty

    def main(config):
        ty.init_distributed()
        start = ty.resume_checkpoint()
        ...
        ty.report({"loss": loss}, step=step, checkpoint=folder)

Outside a Trainyard job every call works too: one rank, metrics printed, nothing to resume.
"""

from trainyard_train.api import (
    Checkpoint,
    checkpoint_folder,
    data_path,
    device,
    init_distributed,
    local_rank,
    log_params,
    rank,
    report,
    resume_checkpoint,
    stage,
    world_size,
)
from trainyard_train.model_logging import ModelNotLogged, log_model

__all__ = [
    "Checkpoint",
    "ModelNotLogged",
    "checkpoint_folder",
    "data_path",
    "device",
    "init_distributed",
    "local_rank",
    "log_model",
    "log_params",
    "rank",
    "report",
    "resume_checkpoint",
    "stage",
    "world_size",
]
