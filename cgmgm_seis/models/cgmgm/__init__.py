"""CGM-GM, the published generator."""
