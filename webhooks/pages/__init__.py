"""The console's pages, one module each with `register(routes, console)`; `webhooks/console.py` lists them."""
