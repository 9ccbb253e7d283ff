"""Whether other users could interfere with a path or a socket."""
