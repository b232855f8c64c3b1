"""Gives every member's tests the fixtures of devkit (PostgreSQL, Redis, …) and `--codes`."""

pytest_plugins = ["devkit.pytest_plugin", "devkit.codes_plugin"]
