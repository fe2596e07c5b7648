"""The bank that is a file."""

from datetime import UTC

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.csv_statement import parse_csv
from domains.bank.providers.file.detect import detect_format
from domains.bank.providers.file.ofx_statement import parse_ofx
from domains.bank.providers.file.options import FileOptions
from domains.bank.providers.file.values import MAX_FILE_BYTES, DateRange
from domains.bank.providers.protocol import Statement
from domains.core.clock import Clock


class FileProvider:
    """Reads OFX 1.x and 2.x, QFX and CSV. Pure and synchronous: it takes CPU, so callers run it in a thread.

    secret: the installation's key for account ids (`rules.account_id`). Changing it makes every account a new one.
    """

    name = "file"

    def __init__(self, clock: Clock, secret: bytes) -> None:
        self._clock = clock
        self._secret = secret

    def parse(self, data: bytes, filename: str, options: FileOptions) -> Statement:
        """All that the file says, or nothing: a file with one unreadable row is refused whole.

        Errors: StatementRejected, with the line (from 1, in the file as sent) where there is one.
        """
        if len(data) > MAX_FILE_BYTES:
            raise StatementRejected("The file is larger than 10 MiB. Export a shorter period.")
        days = DateRange.around(self._clock.now().astimezone(UTC).date())
        if detect_format(data) == "ofx":
            return parse_ofx(data, self.name, options, days, self._secret)
        return parse_csv(data, filename, self.name, options, days, self._secret)
