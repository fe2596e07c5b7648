"""The default rules of categorisation, as data. Categories are ids of Plaid's personal-finance taxonomy, version 1.

merchants.csv   name, patterns, debit, credit: a brand as people write it, and what its purchases and refunds are
keywords.csv    kind, confidence, debit, credit, account_type, patterns: what words say of money that leaves or arrives
places.txt      towns that banks put behind a merchant's name

Patterns are separated by ` | ` and are runs of words, matched whole, without regard to case, accents, apostrophes and punctuation
(`&` inside a word counts). `^` in front: only as the first word of the merchant's name. In a pattern of one word, a `*` stands for
any beginning or any end of at least four other letters' company: `stadtwerke*`, `*apotheke`.
An empty category: the rule says nothing in that direction. An empty account_type: accounts of every type.
An `action` (what the money is: pay, tax, a transfer to somebody) wins over a merchant, a merchant over a `keyword`. So does `own`: the
bank's business (fees, interest, cash) or its customer's own accounts; a text that says such a thing names no merchant.
"""
