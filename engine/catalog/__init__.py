"""What the database knows of itself: tables, strategies, placements, definitions, versions."""
