"""The charts that come from elsewhere (KubeRay, Kueue), and the ``charts/`` folders of our own that are filled from their sources."""
