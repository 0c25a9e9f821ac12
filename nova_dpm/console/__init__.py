"""What a server's operating system says, as users of OpenStack read it."""
