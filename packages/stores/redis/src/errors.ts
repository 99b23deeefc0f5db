import { certificateRemedy, type ErrorCode, PosthasteError } from '@posthaste/contracts'

interface Meaning {
  readonly code: ErrorCode
  readonly remedy?: string
}

/** What the words that an error of the server begins with mean. @see https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const meanings: Readonly<Record<string, Meaning>> = {
  NOAUTH: { code: 'UNAUTHENTICATED', remedy: 'Give the username and password of a user of the server.' },
  WRONGPASS: { code: 'UNAUTHENTICATED', remedy: 'Correct the username and password.' },
  NOPERM: { code: 'PERMISSION_DENIED', remedy: 'Allow the user EVAL, EVALSHA, TIME and all keys of the prefix.' },
  OOM: { code: 'UNAVAILABLE', remedy: 'Give the server more memory.' },
  MISCONF: { code: 'UNAVAILABLE', remedy: 'Repair the disk of the server; its log says what is wrong.' },
  READONLY: { code: 'UNAVAILABLE', remedy: 'Connect to the primary, or wait until the failover is over.' },
  LOADING: { code: 'UNAVAILABLE', remedy: 'Wait until the server has loaded its data.' },
  BUSY: { code: 'UNAVAILABLE', remedy: 'Look for the script that keeps the server busy.' },
  WRONGTYPE: { code: 'INTERNAL', remedy: 'Give the store a prefix that nobody else uses.' },
  ERR: { code: 'INTERNAL' },
}

function meaningOf(text: string): Meaning {
  const [word = ''] = text.split(/[\s:]/, 1)
  if (word === 'ERR' && /invalid password|AUTH/i.test(text)) return meanings.WRONGPASS as Meaning
  if (word === 'ERR' && /DB index/i.test(text)) {
    return { code: 'FAILED_PRECONDITION', remedy: 'Name a database in the url that the server has.' }
  }
  return meanings[word] ?? { code: 'UNAVAILABLE' }
}

/** Anything that the client rejected with: the server's own word, or that it cannot be reached. */
export function storeError(what: string, thrown: unknown, notSent = false): PosthasteError {
  if (PosthasteError.is(thrown)) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const { code, remedy } = meaningOf(text)
  return new PosthasteError(code, `${what}: ${text}`, {
    cause: thrown,
    remedy: certificateRemedy(thrown) ?? remedy,
    notSent,
  })
}
