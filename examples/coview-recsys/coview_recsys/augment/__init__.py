"""What makes views: other items, and changed graphs."""
