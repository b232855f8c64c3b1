"""Routes for the other services of the network, never for the public."""
