/** Calls what belongs to the application, such as its logger, which must not throw into what we are in the middle of. */
export function callApplication(call: () => void): void {
  try {
    call();
  } catch {
    // There is nobody left to tell: this was the way to tell.
  }
}
