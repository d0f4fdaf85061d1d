"""SQLite: users, documents, messages, and what can be rebuilt from them."""
