"""`/openapi.json`, made of what each route says about itself."""
