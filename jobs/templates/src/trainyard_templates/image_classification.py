"""`image-classification`: a convolutional network on images, by default the 1,797 digits of scikit-learn."""

from __future__ import annotations

from pydantic import Field

from trainyard_templates.base import ReadyTemplate, TrainingParameters


class ImageClassificationParameters(TrainingParameters):
    """Hyper-parameters of the convolutional network."""

    epochs: int = Field(default=15, ge=1, le=100_000, title="Epochs", description="Passes over the training set.")
    batch_size: int = Field(default=32, ge=1, le=65536, title="Batch size", description="Samples per worker and step.")
    learning_rate: float = Field(default=3e-3, gt=0, le=100, title="Learning rate", description="Peak learning rate.")
    width: int = Field(
        default=32, ge=4, le=1024, title="Width", description="Channels of the first convolution; later ones have twice as many."
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, title="Dropout", description="Before the last layer.")
    image_size: int = Field(
        default=64,
        ge=8,
        le=1024,
        title="Image size",
        description="Side in pixels to which a folder's images are resized; arrays keep their size.",
    )


class ImageClassification(ReadyTemplate):
    """The ready image trainer."""

    name = "image-classification"
    title = "Image classification"
    description = (
        "Trains a convolutional network. Without a data set: the 1,797 handwritten digits of scikit-learn. "
        "With one: a .zip with a folder of images per class, or an .npz with arrays x and y."
    )
    entry = "trainyard_train.ready.image_classification:train"
    parameters = ImageClassificationParameters
