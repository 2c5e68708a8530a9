"""The terminal: options, output, progress and exit statuses."""
