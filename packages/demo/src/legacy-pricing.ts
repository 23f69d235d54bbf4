/**
 * Stands for the library that every company has: it predates AbortSignal, works in slices on timers of its own, and
 * cannot be stopped.
 */
export function priceOf(sku: number, milliseconds: number): Promise<number> {
  const started = performance.now();
  return new Promise((resolve) => {
    const slice = () => {
      const left = milliseconds - (performance.now() - started);
      if (left <= 0) resolve(10 + (sku % 7));
      // A service that is stopped does not wait for prices that nobody will read.
      else setTimeout(slice, Math.min(25, left)).unref();
    };
    slice();
  });
}
