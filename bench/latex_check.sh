#!/usr/bin/env bash
# Whether pdfLaTeX compiles every table of reports: exit status 0 or 1.
#
#     bench/latex_check.sh runs/quickstart/report [REPORT_DIR ...]
#
# Needs pdflatex with booktabs, graphicx and longtable (Debian: texlive-latex-base, texlive-latex-recommended).
# Each folder's tables become one document, which is removed again; PDF=FILE keeps that of the last folder.
set -euo pipefail
[ $# -gt 0 ] || { echo "name a report's folder" >&2; exit 2; }
command -v pdflatex > /dev/null || { echo "no pdflatex on the path" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for report in "$@"; do
  shopt -s nullglob
  tables=("$report"/tables/*.tex)
  if [ ${#tables[@]} -eq 0 ]; then
    echo "$report: no tables"
    failed=1
    continue
  fi
  {
    echo '\documentclass[a4paper]{article}'
    echo '\usepackage[margin=2cm]{geometry}'
    echo '\usepackage{booktabs,graphicx,longtable}'
    echo '\begin{document}'
    for place in "${!tables[@]}"; do
      cp "${tables[$place]}" "$work/table$place.tex"
      echo "\\input{table$place}"
      echo '\clearpage'
    done
    echo '\end{document}'
  } > "$work/all.tex"
  # twice: a longtable measures its columns first
  if (cd "$work" && for _ in 1 2; do
        timeout 300 pdflatex -interaction=nonstopmode -halt-on-error all.tex > output.txt 2>&1 || exit 1
      done); then
    pages=$(grep -o '([0-9]* page' "$work/output.txt" | tail -1 | tr -dc '0-9')
    echo "$report: ${#tables[@]} tables, $pages pages"
    if [ -n "${PDF:-}" ]; then cp "$work/all.pdf" "$PDF"; fi
  else
    echo "$report: pdflatex stops"
    grep -A4 '^!' "$work/output.txt" | head -20
    grep -o '(./table[0-9]*.tex' "$work/output.txt" | tail -1 | tr -dc '0-9' | while read -r place; do
      echo "in ${tables[$place]}"
    done
    failed=1
  fi
done
exit $failed
