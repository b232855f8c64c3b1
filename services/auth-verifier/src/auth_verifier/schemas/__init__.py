"""What the routes take and answer."""
