/**
 * One of Node's own modules where there is one, without an import: this package loads in a browser too, and in
 * Node before 20.16, and does without there.
 */
export function builtin<T>(id: string): T | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => T | undefined } };
  return process?.getBuiltinModule?.(id);
}
