"""What the agent lives in: tools, the documents behind them, and the episode loop. No Ray."""
