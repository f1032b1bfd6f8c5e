"""A demo page that shows a Beaker session and its MongoDB document side by side."""
