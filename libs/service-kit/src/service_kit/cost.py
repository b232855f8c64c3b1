"""What a request has cost, told to the gateway by a service behind it and to nobody else."""

# A whole number of requests; without it, one.
HEADER = "x-request-cost"
