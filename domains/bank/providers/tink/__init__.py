"""Banks of Europe through Tink: people link them at Tink Link, and Tink keeps what they agreed to fresh."""
