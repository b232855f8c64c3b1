"""The public door: authenticates once, signs the identity, forwards."""
