"""The verifier's HTTP interface."""
