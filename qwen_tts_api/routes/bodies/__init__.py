"""Read and parse request bodies: JSON, urlencoded and multipart forms, base64 audio."""
