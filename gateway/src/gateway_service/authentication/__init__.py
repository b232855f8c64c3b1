"""From a request to its caller: the credential, the verdict on it, and what may undo that."""
