"""A Kubernetes cluster to develop and test on: in containers where an engine runs (kind), as plain processes where none does."""
