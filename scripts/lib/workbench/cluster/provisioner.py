"""The default StorageClass: gives every claim a folder of the node, as a `local` volume, which (unlike a host path) honours fsGroup.

Started by the cluster as ``python -m workbench.cluster.provisioner FOLDER``.
"""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from workbench.cluster.addons import PROVISIONER
from workbench.cluster.api import Api, ApiError
from workbench.cluster.layout import NODE, Layout, open_layout

_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_ANNOTATION = "pv.kubernetes.io/provisioned-by"


def volume_for(claim: dict[str, Any], storage_class: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The PersistentVolume for a claim; named after the claim's uid, so that it is made once."""
    metadata, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{metadata['uid']}"
    on_node = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_ANNOTATION: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class["metadata"]["name"],
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion")},
            },
            "local": {"path": str(folder / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [on_node]}},
        },
    }


def reconcile(api: Api, layout: Layout) -> str:
    """Give each pending claim of our classes a volume, remove released ones; the version of the claims that were seen."""
    classes = {each["metadata"]["name"]: each for each in api.call("GET", _CLASSES)["items"] if each["provisioner"] == PROVISIONER}
    claims = api.call("GET", _CLAIMS)
    for claim in claims["items"]:
        spec = claim["spec"]
        storage_class = classes.get(spec.get("storageClassName", ""))
        if storage_class and claim["status"].get("phase") == "Pending" and not spec.get("volumeName") and spec.get("volumeMode") != "Block":
            _provide(api, volume_for(claim, storage_class, layout.volumes))
    for volume in api.call("GET", _VOLUMES)["items"]:
        metadata = volume["metadata"]
        ours = metadata.get("annotations", {}).get(_ANNOTATION) == PROVISIONER
        if ours and volume["status"].get("phase") == "Released" and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            shutil.rmtree(layout.volumes / metadata["name"], ignore_errors=True)
            api.call("DELETE", f"{_VOLUMES}/{metadata['name']}")
    return str(claims["metadata"]["resourceVersion"])


def _provide(api: Api, volume: dict[str, Any]) -> None:
    folder = Path(volume["spec"]["local"]["path"])
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)  # whoever the pod runs as, with fsGroup or without
    try:
        api.call("POST", _VOLUMES, volume)
    except ApiError as refused:
        if refused.status != 409:  # made in an earlier round, not bound yet
            raise


def main(folder: Path) -> None:
    """Reconcile after every change of a claim, and every few seconds for what was released."""
    layout = open_layout(folder)
    if layout is None:
        sys.exit(f"error: there is no cluster in {folder}")
    api = Api(layout, "provisioner")
    while True:
        try:
            version = reconcile(api, layout)
            next(api.watch(_CLAIMS, version=version, seconds=3), None)
        except (OSError, ApiError, ValueError) as reason:
            print(f"{time.strftime('%H:%M:%S')} {reason}", file=sys.stderr, flush=True)
            time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
