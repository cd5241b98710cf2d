"""Who may log in, and what a login may do (AUTH-1 to AUTH-7)."""
