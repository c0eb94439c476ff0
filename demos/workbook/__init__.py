"""The workbook: write the library's functions yourself, and be told what went wrong. `python -m demos.workbook`."""
