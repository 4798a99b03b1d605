"""What a desk knows already: its articles, files and solved tickets, cut into passages and searched."""
