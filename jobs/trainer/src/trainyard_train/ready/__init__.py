"""Ready trainers: functions that get a template's parameters as their config."""
