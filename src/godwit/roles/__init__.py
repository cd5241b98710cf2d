"""The processes of a network of many: edges, the directory, controllers."""
