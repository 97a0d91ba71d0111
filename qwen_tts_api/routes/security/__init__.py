"""Security: API keys, rate limits, CORS, and checks of the Host and Origin headers."""
