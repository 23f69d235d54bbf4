/** White space and comments, which may stand before a statement. */
const SKIPPED = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|;)+/;

/** COMMIT, ROLLBACK (TO SAVEPOINT, PREPARED too), END, ABORT, PREPARE TRANSACTION, RELEASE. */
const ENDS = /^(?:commit|rollback|end|abort|release|prepare\s+transaction)\b/i;

/**
 * Whether a statement ends a transaction, or a part of one. Such a statement is neither refused nor cancelled:
 * a ROLLBACK must get through after the context has ended, and a COMMIT that is cut off leaves its outcome unknown.
 */
export function endsTransaction(text: unknown): boolean {
  return typeof text === 'string' && ENDS.test(text.replace(SKIPPED, ''));
}
