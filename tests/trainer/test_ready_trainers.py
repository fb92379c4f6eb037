"""The ready trainers in this process, outside a job: every form of data, and what is said about data that does not fit."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits

from trainyard_templates import get
from trainyard_train.ready import image_classification, tabular
from trainyard_train.ready.training_loop import Problem, fit, make_optimizer, make_schedule


@pytest.fixture(autouse=True)
def _as_a_worker() -> Iterator[None]:
    """Seeded, and one thread as a worker with one CPU has it."""
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def config(template: str, **parameters: Any) -> dict[str, Any]:
    """What the template gives its trainer."""
    kind = get(template)
    return kind.render(kind.validate(parameters)).config


def use_data(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("TRAINYARD_DATA_PATH", str(path))


def test_the_default_data_are_scikit_learns_own() -> None:
    """They are read from its files, without it."""
    wanted = load_breast_cancer(as_frame=True).frame
    pd.testing.assert_frame_equal(tabular.breast_cancer(), wanted, check_dtype=False)
    images, labels, names = image_classification.digits()
    known = load_digits()
    np.testing.assert_allclose(images.numpy().reshape(-1, 64) * 16, known.data)
    assert (labels.tolist(), names) == (known.target.tolist(), [str(name) for name in known.target_names])


def last_figures(output: str) -> dict[str, float]:
    """The test figures of the last line."""
    words = output.strip().splitlines()[-1].split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def test_the_default_table_is_learned(capsys: pytest.CaptureFixture[str]) -> None:
    tabular.train(config("tabular"))
    assert last_figures(capsys.readouterr().out)["test_accuracy"] > 0.93


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_table_of_ones_own_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], suffix: str, task: str
) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"a": random.normal(size=400), "b": random.normal(size=400), "town": random.choice(["x", "y"], 400)})
    value = 2 * frame["a"] - frame["b"] + 3 * (frame["town"] == "x")
    frame["goal"] = value if task == "regression" else np.where(value > 1.5, "high", "low")
    frame.loc[::17, "a"] = np.nan
    path = tmp_path / f"table{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    use_data(monkeypatch, path)
    tabular.train(config("tabular", epochs=20, learning_rate=0.01))
    figures = last_figures(capsys.readouterr().out)
    assert figures["test_r2"] > 0.8 if task == "regression" else figures["test_accuracy"] > 0.85


def test_folders_of_images_are_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(2)
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        for index in range(80):
            shade = 40 if index % 2 else 200
            content = io.BytesIO()
            Image.fromarray((shade + random.integers(0, 30, (12, 10, 3))).astype(np.uint8)).save(content, "PNG")
            bundle.writestr(f"set/{'dark' if index % 2 else 'light'}/{index}.png", content.getvalue())
    use_data(monkeypatch, path)
    image_classification.train(config("image-classification", epochs=4, image_size=8, width=8, batch_size=8))
    assert "test accuracy 1.0000 on 16 images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.tar", b"", r"an image data set is an \.npz with arrays x and y, or a \.zip"),
        ("x.npz", {"pixels": np.zeros(3)}, "has arrays pixels; x .images. and y .labels. are needed"),
        ("x.npz", {"x": np.zeros((3, 8, 8)), "y": np.zeros(2)}, "x has shape"),
        ("x.zip", ["one/a.png"], "images of 1 classes"),
    ],
)
def test_images_that_do_not_fit_are_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    path = tmp_path / name
    if isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, list):
        with zipfile.ZipFile(path, "w") as bundle:
            for member in content:
                bundle.writestr(member, b"")
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        image_classification.load_images(path, 8)


@pytest.mark.parametrize(
    ("frame", "target", "message"),
    [
        (pd.DataFrame({"a": range(20), "b": range(20)}), "c", "target: the table has no column 'c'; it has a, b"),
        (pd.DataFrame({"a": range(5), "b": range(5)}), None, "the table has 5 rows with a target; at least 10 are needed"),
    ],
)
def test_a_table_that_does_not_fit_is_named(frame: pd.DataFrame, target: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tabular.prepare(frame, target, "auto")


def test_images_are_computed_channels_last_with_the_same_result(capsys: pytest.CaptureFixture[str]) -> None:
    def trained(channels_last: bool) -> tuple[torch.nn.Module, dict[str, float], list[bool]]:
        torch.manual_seed(0)
        images, labels = torch.rand(64, 3, 8, 8), torch.arange(64) % 2
        data = torch.utils.data.TensorDataset(images + labels[:, None, None, None], labels)
        model = image_classification.ImageClassifier(3, 2, 8, 0.0, torch.zeros(3), torch.ones(3))
        laid_out: list[bool] = []
        model.layers[0].register_forward_pre_hook(
            lambda _, inputs: laid_out.append(inputs[0].is_contiguous(memory_format=torch.channels_last)) if model.training else None
        )
        problem = Problem(model, data, data, torch.nn.functional.cross_entropy, lambda *_: {}, channels_last=channels_last)
        return model, fit(problem, config("image-classification", epochs=2, checkpoint_every=0)), laid_out

    model, figures, laid_out = trained(channels_last=True)
    assert "1 CPU thread in fp32, channels-last" in capsys.readouterr().out
    assert laid_out
    assert all(laid_out)
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in model.parameters() if weight.ndim == 4)
    plain, plain_figures, plain_laid_out = trained(channels_last=False)
    assert not any(plain_laid_out)
    assert figures["validation_loss"] == pytest.approx(plain_figures["validation_loss"], rel=0.01)
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle", "step"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_every_optimizer_and_schedule_goes_to_its_end(optimizer: str, schedule: str) -> None:
    model = torch.nn.Linear(2, 1)
    parameters = {"learning_rate": 0.1, "weight_decay": 0.01, "optimizer": optimizer, "schedule": schedule}
    made = make_optimizer(model, parameters)
    scheduler = make_schedule(made, parameters, 20)
    rates = []
    for _ in range(20):
        model(torch.ones(1, 2)).sum().backward()
        made.step()
        rates.append(scheduler.get_last_lr()[0])
        scheduler.step()
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert rates[-1] <= rates[0] if schedule != "constant" else rates[-1] == 0.1
