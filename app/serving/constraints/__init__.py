"""What keeps an answer to a form: grammars, JSON schemas, and how a model's tokens follow them."""
