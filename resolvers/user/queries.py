"""Where everything of a user begins."""

from resolvers.fields import VIEWER_KEY, extends, link


@extends("Query")
class UserQueries:
    me = link("User", key=VIEWER_KEY, nullable=False, description="Whoever is signed in; UNAUTHENTICATED when nobody is.")
