"""The first version of the internal routes."""
