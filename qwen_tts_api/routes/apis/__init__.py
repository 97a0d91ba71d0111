"""The APIs: what each one's requests and answers look like."""
