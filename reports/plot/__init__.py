"""What the plot of accuracy against cost is made of: plain data, before anything is drawn."""
