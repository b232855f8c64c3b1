"""Decides which tokens are good."""
