"""Networks as small pictures: what their stages hold, where they lie, and how that is drawn."""
