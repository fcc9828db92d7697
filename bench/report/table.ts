import type { Figure } from './figure.ts';

/** Columns of text, the first to the left, the others to the right; for a terminal and for Markdown alike. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0), 3));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column)).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const pad = (text: string, width: number, column: number): string =>
  column === 0 ? text.padEnd(width) : text.padStart(width);

/** With thousands marked; one decimal below 100. */
export const number = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 100 ? 1 : 0 });

/** The figures of one mode. */
export function figureTable(figures: readonly Figure[]): string {
  return table(
    ['measured', 'value', 'beside', 'ratio', 'aim'],
    figures.map(({ what, value, unit, beside, aim }) => [
      what,
      `${number(value)} ${unit}`,
      beside ? `${number(beside.value)} ${beside.what}` : '',
      beside ? ratio(value / beside.value) : '',
      aim ? `${aim.text} ${aim.met ? 'met' : 'NOT MET'}` : '',
    ]),
  );
}

const ratio = (value: number): string => (value >= 2 ? `${value.toFixed(1)} x` : `${Math.round(value * 100)} %`);
