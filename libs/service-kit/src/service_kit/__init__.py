"""What every Taskgate service has and none is about: settings, errors, logs, health."""
