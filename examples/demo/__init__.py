"""A page that shows a Beaker session beside the MongoDB document that it is stored in."""
