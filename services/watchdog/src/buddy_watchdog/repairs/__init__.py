"""What can be done for a gateway, one module each."""
