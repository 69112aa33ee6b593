"""A run as one file that somebody else can check without trusting whoever made it."""
