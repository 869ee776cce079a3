// A table of the operator's page: it scrolls sideways where it must, by keyboard too.
import type { ReactNode } from "react";

interface TableProps {
  readonly caption: string;
  /** Shown instead while there are no rows. */
  readonly none: string;
  /** A number stands right. */
  readonly columns: readonly { readonly title: string; readonly isNumber?: boolean }[];
  readonly rows: readonly ReactNode[];
}

export const Table = ({ caption, none, columns, rows }: TableProps) =>
  rows.length === 0 ? (
    <p>{none}</p>
  ) : (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className="scroll run-table" tabIndex={0} aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, isNumber }) => (
              <th key={title} scope="col" className={isNumber ? "number" : undefined}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows}</tbody>
      </table>
    </section>
  );
