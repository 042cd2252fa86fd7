"""From clips with true segments to a trained detector."""
