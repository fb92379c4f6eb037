"""The controller: one leading process that moves every job from QUEUED to its end."""
