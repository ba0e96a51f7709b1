"""How the demonstration bundle is trained and evaluated; nothing here runs in production."""
