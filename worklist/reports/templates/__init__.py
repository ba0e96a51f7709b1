"""Report templates: what a report of one kind of study consists of, as versioned data."""
