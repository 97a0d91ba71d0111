"""The server process: gunicorn's settings and worker, the event loop, HTTP, the ops port."""
