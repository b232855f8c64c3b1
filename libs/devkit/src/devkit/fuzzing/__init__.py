"""Schemathesis against a running system: every operation, every check.

`python -m devkit.fuzzing [EXAMPLES [ARGUMENT…]]` starts a system of its own and ends with
schemathesis's exit code.
"""
