"""Who may ask for what: API keys, origins, hosts, rate limits."""
