"""Transports: TCP and WebSocket, both sides, one connection class (protocol rows WS-*)."""
