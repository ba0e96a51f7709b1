"""A signed report travels: destinations, deliveries, and the forms it takes on the way (docs/adr/0021)."""
