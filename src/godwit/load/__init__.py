"""A load generator for chat servers: one thread that speaks, receives, and counts every line at every receiver.

It knows a server only by its address and its dialect (Twitch's, plain IRC, NATS), so it measures any of them alike.
`_native.c` holds the fast half of it; without a compiler `receiver.py` does the same, more slowly.
"""
