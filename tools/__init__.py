"""What builds the course's products; the course itself never imports this."""
