"""Recipes: YAML in, checked settings out."""
