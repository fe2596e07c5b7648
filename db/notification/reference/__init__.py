"""Reference data of the domain, kept in the release and loaded by migrations."""
