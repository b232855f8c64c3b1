"""What users can do with their tasks: the rules, and the SQL."""
