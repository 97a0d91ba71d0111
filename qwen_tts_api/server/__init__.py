"""The process: gunicorn's worker, its connections and requests, the ops port."""
