"""Networks from users and items to vectors."""
