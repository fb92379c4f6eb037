"""The calls of the API, one module for each resource; `trainyard.client.Client` has them all."""
