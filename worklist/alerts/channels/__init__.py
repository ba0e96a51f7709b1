"""Ways to reach people beside the page. No message holds patient data: it says that an alert waits, and where."""
