"""Two runs side by side: what changed, and whether it is a regression for somebody."""
