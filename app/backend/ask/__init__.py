"""A question's way: retrieval, budget, prompt, generation, grounding."""
