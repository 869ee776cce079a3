// A table for a terminal: columns as wide as their widest cell, texts to the left, numbers to the right.

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly right?: boolean;
}

/** Longer cells are cut: a stranger chooses his name. */
const CELL_MAX = 24;

/** What a stranger wrote, for a terminal: control characters would move its cursor or worse. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "");

function fitted(text: string): string {
  const characters = [...plain(text)];
  return characters.length <= CELL_MAX ? characters.join("") : `${characters.slice(0, CELL_MAX - 1).join("")}…`;
}

export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => fitted(cell(row))))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => [...line[at]].length)));
  return cells.map((line) =>
    line
      .map((text, at) => {
        const gap = " ".repeat(widths[at] - [...text].length);
        return columns[at].right ? gap + text : text + gap;
      })
      .join("  ")
      .trimEnd(),
  );
}
