"""What only the api does."""
