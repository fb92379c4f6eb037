"""The embedded platform: Ray head, MLflow, API and controller as processes of one machine, kept by a supervisor."""
