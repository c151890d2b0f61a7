"""Who has chosen what, and what is held out."""
