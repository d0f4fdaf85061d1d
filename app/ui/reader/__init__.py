"""The page a source stands on, with the passage marked."""
