"""A run's pictures, and the page that shows them."""
