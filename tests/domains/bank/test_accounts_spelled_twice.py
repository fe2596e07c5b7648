"""A file that spells one account's number in two ways holds one account."""

from tests.domains.bank.statements import ACCOUNT, ofx, only_account, row, signed


def test_an_ofx_file_with_two_statements_of_one_account() -> None:
    first, second = (
        ofx([row(amount="-1", fitid="A100001")]),
        ofx([row(amount="-2", fitid="A100002")], ACCOUNT.replace("DE-123 4567", "de1234567")),
    )
    start, end = second.index("<STMTTRNRS>"), second.index("</BANKMSGSRSV1>")

    account = only_account(first.replace("</BANKMSGSRSV1>", second[start:end] + "</BANKMSGSRSV1>"))

    assert [signed(each) for each in account.transactions] == [-1, -2]
    assert account.mask == "8901"
    assert account.provider_account_id == only_account(first).provider_account_id


def test_a_csv_file_whose_rows_name_one_account() -> None:
    rows = "Date,Description,Amount,Account\n2024-01-31,Tea,-1,DE12 3456\n2024-01-31,Tea,-1,de12-3456\n2024-01-31,Tea,-1,DE12 3456\n"

    account = only_account(rows, currency="EUR")

    assert len({each.provider_transaction_id for each in account.transactions}) == 3
