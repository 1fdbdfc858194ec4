"""Runs a query over day files with the Python package duckdb.

    python3 query.py slowest_capability.sql logs=/srv/logs day=2026-05-26
    python3 query.py trace.sql logs=/srv/logs trace=01M8JJ8NFGKC44T0N4BG9DW8XZ --json

A variable is given as name=value. The command-line program of DuckDB runs the same files after SET VARIABLE.
"""

import json
import pathlib
import sys
import time

import duckdb


def main(arguments):
    variables = [argument.split("=", 1) for argument in arguments if "=" in argument]
    files = [argument for argument in arguments if "=" not in argument and argument != "--json"]
    if len(files) != 1:
        sys.exit(__doc__.strip())
    connection = duckdb.connect()
    # The order of lines in a file is of no use here, and costs memory.
    connection.execute("SET preserve_insertion_order = false")
    for name, value in variables:
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    start, spent = time.monotonic(), time.process_time()
    try:
        answer = connection.execute(pathlib.Path(files[0]).read_text(encoding="utf-8"))
        columns = [column[0] for column in answer.description]
        rows = answer.fetchall()
    except duckdb.Error as error:
        sys.exit(f"query.py: {error}")
    took, spent = time.monotonic() - start, time.process_time() - spent
    print(f"{len(rows)} rows in {took:.2f} s, {spent:.2f} s of processor time", file=sys.stderr)
    if "--json" in arguments:
        print(json.dumps([dict(zip(columns, row)) for row in rows], default=str))
        return
    table = [columns] + [["" if value is None else ascii_safe(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(columns))]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def ascii_safe(value):
    """Returns the text of a value; control characters, which a terminal would obey, become escapes."""
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


if __name__ == "__main__":
    main(sys.argv[1:])
