import { createHash, randomBytes, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'

const saltBytes = 16
const hashBytes = 32
/** @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const

/**
 * What to write into the configuration for a token: `scrypt:salt:hash`, slow on purpose. For a token that a person chose; one
 * of 32 random bytes may as well be kept as `sha256:hash`.
 */
export function hashToken(token: string): string {
  const salt = randomBytes(saltBytes)
  return `scrypt:${salt.toString('base64url')}:${scryptSync(token, salt, hashBytes, cost).toString('base64url')}`
}

/** Whether text is what a token may hash to. */
export function isTokenHash(text: unknown): text is string {
  return typeof text === 'string' && /^(scrypt:[\w-]{16,}:[\w-]{43}|sha256:([\w-]{43}|[0-9a-f]{64}))$/.test(text)
}

/** Whether a token hashes to that; how long it takes tells nothing of either. A slow hash does not hold the process up. */
export async function isTokenOf(token: string, hash: string): Promise<boolean> {
  const [how, ...parts] = hash.split(':')
  const kept = decoded(parts.at(-1) ?? '')
  const found =
    how === 'scrypt'
      ? await slowly(token, Buffer.from(parts[0] ?? '', 'base64url'))
      : createHash('sha256').update(token).digest()
  return kept.length === found.length && timingSafeEqual(kept, found)
}

function slowly(token: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(token, salt, hashBytes, cost, (error, hash) => (error === null ? resolve(hash) : reject(error)))
  })
}

function decoded(text: string): Buffer {
  return Buffer.from(text, /^[0-9a-f]{64}$/.test(text) ? 'hex' : 'base64url')
}
