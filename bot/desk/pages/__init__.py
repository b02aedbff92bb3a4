"""The web inbox: one small file per page. ``app.make`` puts them together."""
