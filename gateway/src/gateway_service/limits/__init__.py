"""How much of the system one client may use: budgets by the minute, shared through Redis."""
