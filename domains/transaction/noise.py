"""What banks write around a merchant's name, as regular expressions over a statement's text. Letter case never counts.

From statements of US, UK, Australian, German, French, Spanish, Italian, Dutch, Portuguese, Nordic and Polish banks.
"""

import re
from typing import Final

#: How it was paid. A space stands for any run of spaces; longer ones first.
_PAID_BY: Final = (
    # US, UK, Australia, Canada
    r"pos (?:signature purchase|purchase|debit|merchandise|withdrawal|w/d|refund|return|transaction|pur|pmt)",
    r"point of sale(?: (?:debit|purchase|withdrawal))?",
    r"check ?card(?: (?:purchase|debit|return))?",
    r"(?:recurring|non-recurring) (?:payment|debit|card purchase|card|purchase|billing)(?: authorized on)?",
    r"(?:purchase|payment)(?: return| with cash back)? authorized on",
    r"(?:(?:us|intl|international|foreign|online|mobile|contactless|pin|signature|mastercard|amex) )*(?:(?:debit|credit|check|visa) ){0,2}"
    r"(?:card|visa|mastercard|maestro|debit|contactless|interac) (?:card )?(?:purchase|payment|pmt|debit|transaction|trans|txn|wdl|sale)"
    r"(?: (?:to|at|from))?",
    r"(?:online|mobile|web|electronic|elec|automatic|auto|bill|e-?) ?(?:pmt|pymt|payment|withdrawal|debit|draft)(?: ?- ?web)?"
    r"(?: (?:to|from))?",
    r"(?:pos|purchase|billpay|pending(?: transaction)?|contactless|handyway|reversal|miscellaneous payments?)",
    r"ach (?:electronic )?(?:debit|credit|withdrawal|deposit|pmt|payment|hold|transaction)",
    r"pre-?authorized (?:debit|credit|withdrawal|deposit|payment)",
    r"direct (?:debit|deposit|dep|credit)(?: (?:payment|pmt))?(?: (?:to|from))?",
    r"(?:external|electronic) (?:withdrawal|deposit|credit)",
    r"(?:withdrawal|deposit|wdl) (?:ach|debit card|pos|card|visa|online)",
    r"standing order(?: (?:to|from))?",
    r"(?:faster|fast|bacs|chaps|osko|npp|rtp|eft) (?:payments?|receipt|credit)(?: (?:to|from|received))?",
    r"(?:fpi|fpo|bgc|bbp|ddr|d/d|s/o)",
    r"zelle(?: (?:payment|money|transfer))? (?:to|from|sent to|received from|recd from)",
    r"eftpos(?: (?:wdl|purchase|debit|deb))?",
    r"(?:apple|google|samsung) pay(?=\s+\S)",
    r"temp(?:orary)? (?:authorization|auth|hold)",
    r"pre-?auth(?:orization)?",
    r"(?:refund|return)(?: (?:from|of))?",
    # Germany, Austria, Switzerland
    r"(?:sepa[ -]?)?(?:basis|core|folge|erst|einmal|elv|firmen)?[ -]?"
    r"(?:lastschrift(?: ?einzug)?|überweisung|ueberweisung|gutschrift|dauerauftrag)(?: (?:von|an|ausführung))?",
    r"(?:girocard|ec|visa debit|visa|debit|debitkarten|mastercard|kredit|kreditkarten|karten|mobil|online)[ -]?"
    r"(?:kartenzahlung|kartenumsatz|zahlung|umsatz)(?: (?:girocard|debitkarte|kreditkarte|visa|mastercard))?",
    r"lohn ?/? ?gehalt(?: ?/? ?rente)?",
    # France, Belgium
    r"(?:paiement|achat|facture|avoir|remboursement)(?: (?:par|sans contact|internet|psc|mobile))*(?: (?:cb|carte(?: bancaire)?))?"
    r"(?: (?:visa|du|le))*",
    r"(?:cb|carte(?: bancaire)?)(?: (?:du|le))?",
    r"(?:virement|virt|vir)(?: (?:sepa|inst|instantane|instantané|recu|reçu|emis|émis|en faveur de|permanent|web|de|vers|pour))*",
    r"(?:prlv|prelevement|prélèvement)(?: (?:sepa|europeen|européen|de|rcur|frst))*",
    # Spain, Italy, Portugal, Brazil
    r"(?:compra|pago)(?: (?:tarjeta|tarj\.?|con tarjeta|con tarj\.?|movil|móvil|contactless|en comercio|no cart[aã]o|cart[aã]o|d[eé]bito"
    r"|internet))*(?: (?:en|a|de))?",
    r"(?:recibo|adeudo)(?: (?:sepa|de|domiciliado))*",
    r"transfer[eê]ncia(?: (?:sepa|inmediata|imediata|recibida|recebida|emitida|a favor de|de|para|a))*",
    r"bizum(?: (?:de|a|enviado a|recibido de))?",
    r"(?:pagamento|acquisto)(?: (?:pos|con carta|carta|contactless|tramite pos|internazionale|e-commerce|de|servi[cç]os))*"
    r"(?: (?:presso|c/o|a|de))?",
    r"(?:addebito|add\.)(?: (?:sdd|diretto|carta|sepa|core|preautorizzato|per))*",
    r"bonifico(?: (?:sepa|istantaneo|disposto|ricevuto|a vostro favore|a favore di|a favore|da|a|per))*",
    r"d[eé]bito direto",
    r"(?:pix|ted|doc) (?:enviado|recebido|enviada|recebida|transf)(?: (?:para|de))?",
    # Netherlands
    r"(?:betaalautomaat|pinbetaling|betaalpas|bea|gea),?(?: (?:betaalpas|apple pay|google pay),?)*",
    r"(?:sepa )?(?:incasso|overboeking|overschrijving|ideal)(?: (?:algemeen|doorlopend|eenmalig|machtiging|naar|van))*",
    # Nordics, Poland
    r"(?:kortköp|kortkøb|korttiosto|kortbetaling|varekjøp|varekjøb|dankort(?:-nota)?|dk-nota|visakøb|visa varekjøp|autogiro|avtalegiro"
    r"|betalning)(?: (?:visa|bankaxept|bg|pg|til|från|fra))*",
    r"(?:płatność|platnosc|zakup|transakcja)(?: (?:kartą|karta|przy użyciu karty|blik|mobilna|internetowa))*",
    r"przelew(?: (?:przychodzący|wychodzący|do|od))*",
)

#: Which card, on which day: between how it was paid and the name.
_WITH: Final = (
    r"(?:card|karte|carte|kaart|tarjeta|nr|no|n°)?[\s.:#]*(?:[x*•]+[\s-]?\d{2,6}|\d{4}[x*]{2,}\d*|\d{4,}(?=\s))",
    r"\d{1,2}[/.\-]\d{1,2}(?:[/.\-]\d{2,4})?(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?(?![\w/])",
    r"\d{4}-\d{2}-\d{2}",
    r"(?:on|at|to|from)\s",
)
_BETWEEN: Final = r"[\s:;,.\-–/*#]*"

#: Payment processors that put themselves in front of the shop, with the star or dash that divides them.
_PROCESSORS: Final = (
    r"sq|sqc|gosq\.com|tst|toast|sp|spo|py|paypal|pypl|ppl|pp|in|eb|ebp|fs|fsp|cke|clv|clover|bt|zettle_?|izettle|iz|sumup\s?|stripe|str|"
    r"klarna|clearpay|afterpay|2co\.com|2co|paddle\.net|paddle|wl|sprk|bps|ezc|lyf|ls|ztl|nyx|crv|revolut|shopify|sezzle|payu|mollie|adyen|"
    r"worldpay|wpy|nexi|sibs|checkout\.com|gumroad\.com|dnh|act|pos|cash app|venmo|mercpago|mp|pagseguro|ifood|payplug|lydia|twint"
)

_MONTHS: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"

#: Where the name ends: what begins here is about the payment, not about whom. In three groups, by what a text must hold for any to match.
_TAILS: Final = (
    r"\s(?:\s+|sagt\b|dankt\b|iban\s|bic\s|(?:payment|pmt)?\s?thank you\b|web\s?\()",
    r"\s*(?://|[|;])",
)
_TAILS_WITH_DIGITS: Final = (
    r"\s(?:"
    r"\d{3,}\b|#\s?\w+|[x*•]{2,}[\s-]?\w*\d+|/\d|t\d{3,4}\b|kfn\s?\d"
    rf"|(?:on\s|le\s|am\s)?(?:\d{{1,2}}[/.\-]\d{{1,2}}(?:[/.\-]\d{{2,4}})?(?![\w%])|\d{{1,2}}[/.]\d{{4}}\b|\d{{1,2}}\s?{_MONTHS}\b|{_MONTHS}\s\d|\d{{4}}-\d\d-\d\d)"
    r"|\(?\+?1?[\s-]?\(?\d{3}\)?[\s.\-]\d{3}[\s.\-]?\d{4}|\+?\d[\d\-]{6,}"
    r"|(?:card|karte|carte|kaart|tarj|tarjeta|pas|kartennr\.?)\s*(?:no\.?|nr\.?)?\s*:?\s*[x*•]*\d{2,}"
    r"|(?:ref|reference|trace|auth|inv|invoice|conf|mandat\w*|referenz|rechnung|rg|re|kd|vertrag|rum|dossier|contrat|client|poliza|contrato)\.?"
    r"\s+(?=[a-z/-]*\d)[\w/-]+"
    r"|[a-zäöü.-]{1,16}nr\.?\s*:?\s*\d|(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{8,}\b"
    r")",
    r"[\s,*-](?:store|str|filiale|fil|unit|no|nr|nº|n°)\.?\s*[#:]?\s*\d+",
    r"\*(?=\w*\d)\w{3,}",
    r"-\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?(?![\w%])",
)
_TAILS_WITH_KEYS: Final = (
    r"\s(?:des|id|indn|co id|conf|ref|reference|trace|auth|inv|invoice|order|web id|ppd id|mandat\w*|referenz|verwendungszweck|vwz|iban|"
    r"bic|konto|kundennr|kd\.?-?nr|rechnungsnr|rg\.?-?nr|end-to-end|eref|kref|mref|cred|svwz|abwa|purp|glaeubiger|gläubiger|omschrijving|kenmerk|"
    r"machtiging|rum|ics|motif|echeance|échéance|ech|concepto|causale)\.?\s?(?:no\.?|nr\.?|id)?\s?[:+#]",
)

_STATES: Final = (
    "AL|AK|AZ|AR|CA|CO|CT|DC|DE|FL|GA|HI|IA|ID|IL|IN|KS|KY|LA|MA|MD|ME|MI|MN|MO|MS|MT|NC|ND|NE|NH|NJ|NM|NV|NY|OH|OK|OR|PA|RI|SC|SD|TN|TX|"
    "UT|VA|VT|WA|WI|WV|WY|ON|QC|BC|AB|MB|NS|NSW|VIC|VICAU|QLD"
)
_COUNTRIES: Final = (
    "US|USA|GB|GBR|UK|IE|IRL|DE|DEU|FR|FRA|ES|ESP|IT|ITA|NL|NLD|BE|BEL|PT|PRT|AT|AUT|CH|CHE|SE|SWE|NO|NOR|DK|DNK|FI|FIN|PL|POL|CZ|CZE|"
    "LU|LUX|AU|AUS|NZ|NZL|CA|CAN|MX|MEX|BR|BRA|JP|JPN|SG|SGP|HK|HKG|IN|IND"
)


def _spaced(pattern: str) -> str:
    """With every space widened, but for those inside a character class."""
    return re.sub(r"(\[[^\]]*\])|( \?)|( )", lambda each: each[1] or (r"\s*" if each[2] else r"\s+"), pattern)


PREFIX: Final = re.compile(
    rf"(?:{'|'.join(_spaced(each) for each in _PAID_BY)})(?!\w)(?:{_BETWEEN}(?:{'|'.join(_WITH)}))*{_BETWEEN}", re.IGNORECASE
)
PROCESSOR: Final = re.compile(rf"(?:{_PROCESSORS})\s*(?:\*|_(?=\w))[\s*]*|SP\s+(?=[A-Z]{{4}})|dd\s\*", re.IGNORECASE)
TAIL: Final = re.compile("|".join(_TAILS), re.IGNORECASE)
TAIL_WITH_DIGITS: Final = re.compile("|".join(_TAILS_WITH_DIGITS), re.IGNORECASE)
TAIL_WITH_KEYS: Final = re.compile("|".join(_TAILS_WITH_KEYS), re.IGNORECASE)
DIGIT: Final = re.compile(r"\d")
KEY: Final = re.compile(r"[:+#]")
#: Only in capitals: "IN" and "OR" are words, too.
STATE: Final = re.compile(rf"[\s,]+(?:{_STATES})(?:\s+\d{{5}}(?:-\d{{4}})?)?(?:\s+(?:US|USA|AU))?$")
COUNTRY: Final = re.compile(rf"[\s,/]+(?:{_COUNTRIES})$")
#: What stands behind a firm's name, without its points: legal forms, and how a US bank was told of the payment.
LEGAL_FORMS: Final = frozenset(
    {"inc", "llc", "ltd", "limited", "plc", "corp", "corporation", "gmbh", "mbh", "ag", "kg", "ohg", "kgaa", "ek", "ev", "sarl"}
    | {"sas", "bv", "nv", "srl", "slu", "oy", "oyj", "aps", "a/s", "pty", "pte", "lda", "ltda", "sapa", "spzoo"}
    | {"ppd", "web", "ccd"}
)
WEB: Final = re.compile(r"^(?:https?://)?(?:www\.)?", re.IGNORECASE)
#: Bank Dutch and SEPA: the name stands behind a key.
NAMED: Final = re.compile(r"(?:/NAME/|\bNaam:\s*|\bAuftraggeber:\s*|\bEmpf[äa]nger:\s*)([^/]{2,70}?)(?=/|\s{2,}|\s+\w+:|$)", re.IGNORECASE)

_NOBODY = """
a account acct ach adjustment an amount and at atm authorized auto automatic autopay balance bank banking bill billpay card cash
cashback charge charged check checkcard checking cheque chk closing counter credit customer daily de debit dep deposit deposits des
direct dividend earned ec edeposit electronic epay epayment est external fee fees finance for foreign from fund funds gutschrift
handyway in int interest internal internet item lastschrift loan maintenance mobile monthly mr mrs myself n o of on online opening
or own paid paiement payment payments period pin pmt pos purchase purchases pymt received recurring ref reference refund return
returned reversal sav saving savings sepa service share standing statement surcharge sv tel temporary thank the through to
transaction transfer transferred transf trf uberweisung ueberweisung umbuchung ubertrag via vir virement visa vs was wdl web wire
with withdraw withdrawal xfer year you your zinsen habenzinsen abschluss annual percentage yield apy bancomat bargeldauszahlung
geldautomat girokonto tagesgeld sparkonto depot livret zahlung dankend erhalten reward rewards kreditkartenabrechnung
"""
#: Words that name nobody: if nothing else is left, there is no merchant.
NOBODY: Final = frozenset(_NOBODY.split())
