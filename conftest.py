"""Gives every member's tests the fixtures of devkit: PostgreSQL, Redis, the whole system."""

pytest_plugins = ["devkit.pytest_plugin"]
