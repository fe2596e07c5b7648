"""What may be wrong with what people say of themselves."""

from domains.user import errors
from resolvers.fields import expose

expose(errors)
