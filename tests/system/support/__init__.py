"""What the system tests share: a runner of cases, a node, and clients for it."""
