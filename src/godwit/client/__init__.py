"""A chat client that follows channels from cluster to cluster (`client.Client`); its rules are FOLLOW-1 to FOLLOW-6."""
