import type { ReactNode } from 'react';

interface Props {
  title: string;
  heads: readonly string[];
  /** A long one scrolls in itself. */
  height?: string;
  children: ReactNode;
}

/** Rows under heads that stay in sight. */
export function Table({ title, heads, height = '', children }: Props) {
  return (
    <section
      aria-label={title}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
      tabIndex={0}
      className={`overflow-auto ${height}`}
    >
      <table className="table">
        <thead className="sticky top-0 bg-card">
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
