"""Commands typed in a PRIVMSG (MSG-4, MSG-5): a table of all, and a module for each family."""
