/** White space and comments, which may stand before a statement. */
const SKIPPED = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|;)+/;

/** COMMIT, ROLLBACK (TO SAVEPOINT, PREPARED too), END, ABORT, PREPARE TRANSACTION, RELEASE. */
const ENDS = /^(?:commit|rollback|end|abort|release|prepare\s+transaction)\b/i;

/**
 * Whether a statement ends a transaction, or a part of one. Such a statement is neither refused nor cancelled:
 * a ROLLBACK must get through after the context has ended, and a COMMIT that is cut off leaves its outcome unknown.
 */
export function endsTransaction(text: unknown): boolean {
  return begins(text, ENDS);
}

/** What gives back what a session holds: settings, listeners, what is prepared, cursors, advisory locks. */
const RESTORES =
  /^(?:(?:set|reset|discard|unlisten|deallocate|close)\b|select\s+(?:pg_catalog\.)?pg_advisory_unlock(?:_shared|_all)?\s*\()/i;

/**
 * Whether a statement cleans a connection up for its next borrower. A program that does not know of us says it in a
 * `finally`: refused there, it would leave a lock behind that nobody gives back, or not come to its release.
 */
export function cleansUp(text: unknown): boolean {
  return endsTransaction(text) || begins(text, RESTORES);
}

function begins(text: unknown, statement: RegExp): boolean {
  return typeof text === 'string' && statement.test(text.replace(SKIPPED, ''));
}
