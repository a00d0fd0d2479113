"""Everything with a socket: the wire protocols, node to node traffic and the HTTP page."""
