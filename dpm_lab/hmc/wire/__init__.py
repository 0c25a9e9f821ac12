"""How clients reach it: HTTPS and STOMP over TLS, sessions, the log of requests, notifications."""
