"""The pages a developer reads: the API explorer and the explanation of every error."""
