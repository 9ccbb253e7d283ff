"""The agent's parts. A file imports only what stands below it: attach, daemon, commands, then what they are made of."""
