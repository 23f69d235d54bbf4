/** A number from a query string: `fallback` where it is absent, `undefined` where it is none, or out of bounds. */
export function queryNumber(text: unknown, fallback: number, max: number): number | undefined {
  if (text === undefined || text === null) return fallback;
  if (typeof text !== 'string' || !/^\d{1,6}(\.\d{1,6})?$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** Whether a path's segment is a number that may be written into a query's comment. */
export function isId(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}
