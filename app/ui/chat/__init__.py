"""The talk: questions as headings, answers as text whose sentences name their passages."""
