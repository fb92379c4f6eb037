"""What a developer's scripts are made of: tools built from pinned Go modules, images, charts, the test cluster, the lock file."""
