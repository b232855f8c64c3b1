"""What routes are given: the caller, a session, conditions; and what a request must be like."""
