"""Owns the tasks: tables, migrations and rules."""
