"""The check that code follows approved specs; run it with `python -m devkit.specs`."""
