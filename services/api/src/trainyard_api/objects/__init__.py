"""The object store: one interface, on a directory or on S3."""

from trainyard_api.objects.base import (
    ObjectMissing,
    ObjectStore,
    ObjectStoreError,
    ObjectStoreFull,
    open_store,
    out_of_space,
)

__all__ = ["ObjectMissing", "ObjectStore", "ObjectStoreError", "ObjectStoreFull", "open_store", "out_of_space"]
