"""What leaves the house: films with timelines, and reports that open anywhere."""
