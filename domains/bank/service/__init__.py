"""Use cases of the bank domain, a file each."""
