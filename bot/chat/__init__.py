"""The web chat and the page of the trial: a conversation in a browser, without an account or a messenger."""
