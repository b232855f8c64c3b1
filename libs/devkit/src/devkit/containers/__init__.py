"""The system in containers, from a terminal: `make up` and its kin.

An operator's machine may have Docker, make and a bare Python: nothing here imports more than the
standard library.
"""
