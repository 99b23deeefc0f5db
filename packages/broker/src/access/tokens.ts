/** What to write into the configuration for a token: `scrypt:…`, slow on purpose, with a salt of its own. */
export function hashToken(_token: string): string {
  throw new Error('to come')
}
