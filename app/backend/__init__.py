"""What Carrel does: answering, documents, the queue."""
