"""A tolerant reader of OFX, both kinds: SGML (1.x, leaves left open) and XML (2.x), and the mixtures banks send.

It is not an XML parser on purpose: banks put SGML bodies under XML headers, and entities other than characters have no
place in a statement. What is not understood and could have held money is refused with its line, never skipped. Leaves and
aggregates that nobody reads are dropped while reading (what is read inside such an aggregate stands in its place), so
memory is bounded by what is kept.
"""

import re
from html.entities import name2codepoint
from typing import NoReturn

from domains.bank.errors import StatementRejected
from domains.bank.providers.file.text import Lines, clean
from domains.bank.providers.file.values import MAX_TRANSACTIONS, TOO_MANY

_MAX_DEPTH = 32  # the deepest place in the specification is 12 below <OFX>

_MESSAGE_SETS = {"SIGNONMSGSRSV1", "SIGNUPMSGSRSV1", "BANKMSGSRSV1", "CREDITCARDMSGSRSV1", "INVSTMTMSGSRSV1", "SECLISTMSGSRSV1"}
_RESPONSES = {"SONRS", "ACCTINFOTRNRS", "ACCTINFORS", "STMTTRNRS", "STMTRS", "CCSTMTTRNRS", "CCSTMTRS", "INVSTMTTRNRS", "INVSTMTRS"}
_PARTS = {"STATUS", "FI", "ACCTINFO", "BANKACCTFROM", "CCACCTFROM", "INVACCTFROM", "LEDGERBAL", "AVAILBAL", "INVBAL", "INV401KBAL"}
_LISTS = {"BANKTRANLIST", "BANKTRANLISTP", "INVTRANLIST", "INVPOSLIST"}
_IN_TRANSACTIONS = {"STMTTRN", "STMTTRNP", "PAYEE", "CURRENCY", "ORIGCURRENCY", "INVBANKTRAN", "INVTRAN", "INVBUY", "INVSELL", "SECID"}
_SECURITIES = {"SECINFO", "INVPOS"}
BUYS = frozenset({"BUYDEBT", "BUYMF", "BUYOPT", "BUYOTHER", "BUYSTOCK"})
SELLS = frozenset({"SELLDEBT", "SELLMF", "SELLOPT", "SELLOTHER", "SELLSTOCK"})
CASH_EVENTS = frozenset({"INCOME", "REINVEST", "RETOFCAP", "INVEXPENSE", "MARGININTEREST", "SPLIT"})
NO_CASH = frozenset({"TRANSFER", "JRNLSEC", "JRNLFUND", "CLOSUREOPT"})

#: Aggregates that are kept. Their closing tags are required; text directly inside them is refused.
KEPT = frozenset(
    {"OFX"} | _MESSAGE_SETS | _RESPONSES | _PARTS | _LISTS | _IN_TRANSACTIONS | _SECURITIES | BUYS | SELLS | CASH_EVENTS | NO_CASH
)

#: Leaves that are kept; also those that must not be taken for an open aggregate when they are empty and unclosed.
_SIGN_ON = {"CODE", "SEVERITY", "MESSAGE", "DTSERVER", "LANGUAGE", "ORG", "FID", "INTU.BID"}
_ACCOUNT = {"BANKID", "BRANCHID", "ACCTID", "ACCTTYPE", "BROKERID", "DESC", "CURDEF"}
_MOVEMENT = {"TRNTYPE", "DTPOSTED", "DTUSER", "DTTRAN", "TRNAMT", "FITID", "CHECKNUM", "REFNUM", "NAME", "MEMO", "CURRATE", "CURSYM"}
_BALANCE = {"BALAMT", "DTASOF", "AVAILCASH", "MARGINBALANCE", "MKTVAL", "TOTAL"}
_INVESTMENT = {"DTTRADE", "DTSETTLE", "UNIQUEID", "SECNAME", "TICKER", "UNITS", "UNITPRICE", "INCOMETYPE", "FRACCASH"}
_READ = frozenset(_SIGN_ON | _ACCOUNT | _MOVEMENT | _BALANCE | _INVESTMENT)
_EITHER = frozenset({"CURRENCY", "ORIGCURRENCY", "PAYEE"})  # aggregates that some banks send as a leaf
_LEAVES = _READ | {"TRNUID", "CLTCOOKIE", "DTSTART", "DTEND", "DTAVAIL", "SIC", "PAYEEID", "SRVRTID", "CORRECTFITID", "CORRECTACTION"}

# Where what holds money may stand. Anywhere else it would not be found, so it is refused there.
_PLACES = {
    "STMTTRN": {"BANKTRANLIST", "INVBANKTRAN"},
    "STMTTRNP": {"BANKTRANLISTP"},
    "BANKTRANLIST": {"STMTRS", "CCSTMTRS"},
    "BANKTRANLISTP": {"STMTRS", "CCSTMTRS"},
    "INVTRANLIST": {"INVSTMTRS"},
    "STMTRS": {"STMTTRNRS"},
    "CCSTMTRS": {"CCSTMTTRNRS"},
    "INVSTMTRS": {"INVSTMTTRNRS"},
    "STMTTRNRS": {"BANKMSGSRSV1"},
    "CCSTMTTRNRS": {"CREDITCARDMSGSRSV1"},
    "INVSTMTTRNRS": {"INVSTMTMSGSRSV1"},
    "INVBUY": BUYS,
    "INVSELL": SELLS,
    **{tag: {"OFX"} for tag in _MESSAGE_SETS},
    **{tag: {"INVTRANLIST"} for tag in ({"INVBANKTRAN"} | BUYS | SELLS | CASH_EVENTS | NO_CASH)},
}

# One match takes an opening tag, its text and, where it follows at once, its closing tag; or a lone closing tag.
_TOKEN = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9._-]{0,39})([\s/][^<>]*)?>([^<]*)(</\2\s*>\s*)?")
_ONE_BY_ONE = "Something follows </OFX>. One file holds one statement: send several files one by one."
_NEXT_TAG = re.compile(r"<[/!?A-Za-z]")
_VISIBLE = re.compile(r"\S")
_ENTITY = re.compile(r"&(?:#(?:([0-9]{1,7})|[xX]([0-9A-Fa-f]{1,6}))|([A-Za-z][A-Za-z0-9]{1,7}));")

_NAMED = name2codepoint | {"apos": ord("'")}


class Aggregate:
    """A tag with others inside. `leaves` are the values as written, trimmed and with their entities resolved; none is empty.

    Where a leaf stood is not kept, only where the aggregate began: `place_of` finds it again for a refusal.
    """

    __slots__ = ("children", "leaves", "offset", "tag")

    def __init__(self, tag: str, offset: int) -> None:
        self.tag = tag
        self.offset = offset
        self.leaves: dict[str, str] = {}
        self.children: list[Aggregate] = []

    def child(self, tag: str) -> "Aggregate | None":
        for each in self.children:
            if each.tag == tag:
                return each
        return None

    def all(self, tag: str) -> "list[Aggregate]":
        return [each for each in self.children if each.tag == tag]

    def value(self, tag: str) -> str | None:
        """The text of a leaf; None where it is missing or empty."""
        return self.leaves.get(tag)


def read_tree(text: str, start: int, lines: Lines) -> Aggregate:
    """The <OFX> aggregate whose tag begins at `start`. Linear in the text.

    Errors: StatementRejected for what is cut short, wrongly nested, nested too deep, or outside of any tag.
    """
    return _Reader(text, start, lines).read()


def place_of(text: str, aggregate: Aggregate, tag: str) -> int:
    """Where a leaf of an aggregate stands in the text, or where the aggregate begins if the leaf is not there."""
    match = re.compile(rf"<{re.escape(tag)}[\s>]", re.IGNORECASE).search(text, aggregate.offset)
    return match.start() if match is not None else aggregate.offset


def resolve_entities(text: str) -> str:
    """Character references and the named characters of HTML, resolved once; anything else is left as it is."""
    return clean(_ENTITY.sub(_character, text))


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    code = int(decimal) if decimal else int(hexadecimal, 16) if hexadecimal else _NAMED.get(name, _NAMED.get(name.lower(), -1))
    return chr(code) if 0 <= code <= 0x10FFFF else match[0]


class _Reader:
    def __init__(self, text: str, start: int, lines: Lines) -> None:
        self.text = text
        self.at = start
        self.lines = lines
        self.root = Aggregate("", start)
        self.stack = [self.root]
        self.open_leaf: tuple[str, list[str]] | None = None  # a leaf that more text may still follow
        self.last_leaf = ""

    def read(self) -> Aggregate:
        text, end, match_at = self.text, len(self.text), _TOKEN.match
        while self.at < end:
            match = match_at(text, self.at)
            if match is None:
                self._read_special()
                continue
            slash, tag, attributes, content, closing = match.groups()
            offset, self.at = self.at, match.end()
            if not tag.isupper():
                tag = tag.upper()
            if slash:
                self.at = match.end(4)
                self._close(tag, content, offset)
            elif content and not content.isspace():
                self._leaf(tag, content, offset, closing)
            elif closing is not None or (attributes and attributes.endswith("/")) or tag in _LEAVES:
                self._leaf(tag, "", offset, closing)
            else:
                self._open(tag, offset)
        return self._finished()

    def _open(self, tag: str, offset: int) -> None:
        self._settle_leaf()
        if len(self.stack) > _MAX_DEPTH:
            self._refuse(f"<{tag}> is nested too deep. This is not a statement as banks write them.", offset)
        self.last_leaf = tag  # until something is seen inside, it may still turn out to be an empty leaf
        self.stack.append(Aggregate(tag, offset))

    def _leaf(self, tag: str, content: str, offset: int, closing: str | None) -> None:
        if self.open_leaf is not None:
            self._settle_leaf()
        if tag in KEPT and not (content and tag in _EITHER):
            if content:
                self._refuse(f"Text stands directly inside <{tag}>.", offset)
            self._attach(Aggregate(tag, offset))
            return
        self.last_leaf = tag
        if closing is not None:
            self._keep(tag, content)
        else:
            self.open_leaf = (tag, [content])

    def _close(self, tag: str, content: str, offset: int) -> None:
        self._settle_leaf()
        stack = self.stack
        if content and not content.isspace():
            reason = _ONE_BY_ONE if tag == "OFX" else "Text stands outside of any tag."
            self._refuse(reason, offset + self.text[offset : self.at].find(content.lstrip()))
        if stack[-1].tag == tag:
            self._attach(stack.pop())
            return
        depth = len(stack) - 1
        while depth > 0 and stack[depth].tag != tag:
            depth -= 1
        if depth > 0:
            self._close_empty_leaves_above(depth)
            self._attach(stack.pop())
        elif tag != self.last_leaf and tag not in _LEAVES:
            self._refuse(f"</{tag}> closes what was not opened: the file is damaged. Download it again.", offset)

    def _close_empty_leaves_above(self, depth: int) -> None:
        """Tags that were never closed were leaves without a value: what seemed to be inside stands beside them."""
        while len(self.stack) - 1 > depth:
            empty = self.stack.pop()
            if empty.tag in KEPT:
                self._refuse(f"<{empty.tag}> is not closed: the file is damaged. Download it again.", empty.offset)
            parent = self.stack[-1]
            parent.children.extend(empty.children)
            for tag, leaf in empty.leaves.items():
                parent.leaves.setdefault(tag, leaf)

    def _attach(self, aggregate: Aggregate) -> None:
        tag, parent = aggregate.tag, self.stack[-1]
        if tag in KEPT or parent.tag in ("BANKTRANLIST", "INVTRANLIST"):
            places = _PLACES.get(tag)
            if places is not None and parent.tag not in places:
                self._refuse(f"<{tag}> cannot stand inside <{parent.tag}>.", aggregate.offset)
            parent.children.append(aggregate)
            if len(parent.children) > MAX_TRANSACTIONS:
                self._refuse(TOO_MANY, aggregate.offset)
        elif aggregate.children:
            parent.children.extend(aggregate.children)
        if parent is self.root and (more := _VISIBLE.search(self.text, self.at)):
            self._refuse(_ONE_BY_ONE, more.start())

    def _keep(self, tag: str, content: str) -> None:
        leaves = self.stack[-1].leaves
        if tag in leaves or (tag not in _READ and tag not in _EITHER):
            return
        value = content.strip()
        if "&" in value:
            value = resolve_entities(value).strip()
        if value:
            leaves[tag] = value

    def _settle_leaf(self) -> None:
        if self.open_leaf is not None:
            tag, pieces = self.open_leaf
            self.open_leaf = None
            self._keep(tag, "".join(pieces) if len(pieces) > 1 else pieces[0] if pieces else "")

    def _read_special(self) -> None:
        """What is no tag: CDATA, comments, processing instructions, a lone "<", text between tags."""
        text, at = self.text, self.at
        if text.startswith("<![CDATA[", at):
            after = self._end_of("]]>", at, "CDATA section")
            self._more_text(text[at + 9 : after - 3].replace("&", "&amp;"), at)
        elif text.startswith("<!--", at):
            after = self._end_of("-->", at, "comment")
        elif text.startswith("<?", at):
            after = self._end_of("?>", at, "processing instruction")
        elif text.startswith("<!", at):
            self._refuse("A document type or an entity is declared here, which statements do not need and which is never read.", at)
        else:
            following = _NEXT_TAG.search(text, at + 1)
            after = following.start() if following is not None else len(text)
            if after < len(text) or text[at] != "<":  # half a tag at the very end tells nothing that being cut short does not
                self._more_text(text[at:after], at)
        self.at = after

    def _end_of(self, mark: str, at: int, what: str) -> int:
        end = self.text.find(mark, at)
        if end < 0:
            self._refuse(f"This {what} has no end: the file is cut short. Download it again.", at)
        return end + len(mark)

    def _more_text(self, content: str, at: int) -> None:
        if self.open_leaf is None and not content.isspace():
            opened = self.stack[-1]
            if opened.tag != self.last_leaf or opened.tag in KEPT or opened.children or opened.leaves:
                self._refuse("Text stands outside of any tag.", at)
            self.stack.pop()  # an unknown tag followed by CDATA: a leaf after all
            self.open_leaf = (opened.tag, [])
        if self.open_leaf is not None:
            self.open_leaf[1].append(content)

    def _finished(self) -> Aggregate:
        self._settle_leaf()
        if len(self.stack) > 1:
            opened = next(each for each in reversed(self.stack) if each.tag in KEPT)
            self._refuse(f"The file ends inside <{opened.tag}>, which began here: it is cut short. Download it again.", opened.offset)
        return self.root.children[0]

    def _refuse(self, reason: str, offset: int) -> NoReturn:
        raise StatementRejected(reason, line=self.lines.at(offset))
