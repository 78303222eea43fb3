# The ledger of a test run, sourced by scripts: one line per result, `kind<TAB>count<TAB>text`, in the file that
# $JPROF_LEDGER names. Kinds are passed, failed and skipped. Tests in other languages append their skips to the same
# file. Without a ledger a skip is only printed.

record() { # KIND COUNT TEXT
  [ -z "${JPROF_LEDGER:-}" ] || printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$JPROF_LEDGER"
}

skip() { # REASON
  printf 'skipped: %s\n' "$1" >&2
  record skipped 1 "$1"
}

# Prints the ledger and the closing line; fails unless something passed and nothing failed.
close_ledger() {
  awk -F'\t' '
    { total[$1] += $2 }
    $1 == "passed" { printf "  passed  %5d  %s\n", $2, $3 }
    $1 == "failed" { printf "  FAILED  %5d  %s\n", $2, $3 }
    $1 == "skipped" { printf "  skipped %5d  %s\n", $2, $3 }
    END {
      printf "%d passed, %d failed, %d skipped\n", total["passed"], total["failed"], total["skipped"]
      exit !(total["passed"] > 0 && total["failed"] == 0)
    }' "$JPROF_LEDGER"
}
