import type { Issue } from './error.ts'

/*
 * What engines on servers ask of their options, and say of a server that cannot be trusted: the same on each, so this is
 * here, once.
 */

const tlsOptions: readonly string[] = ['ca', 'cert', 'key', 'serverName']

/**
 * Lists what is wrong with the option `tls` of an engine: `ca`, `cert` and `key` as PEM texts, `serverName` a name. Nothing
 * where it is absent.
 */
export function tlsIssues(tls: unknown): readonly Issue[] {
  if (tls === undefined) return []
  if (typeof tls !== 'object' || tls === null || Array.isArray(tls))
    return [{ path: 'tls', message: 'must be an object' }]
  const issues: Issue[] = []
  for (const [name, value] of Object.entries(tls)) {
    const path = `tls.${name}`
    if (!tlsOptions.includes(name)) issues.push({ path, message: 'is not an option' })
    else if (value !== undefined && typeof value !== 'string') issues.push({ path, message: 'must be text' })
  }
  const { cert, key, serverName } = tls as Readonly<Record<string, unknown>>
  if ((cert === undefined) !== (key === undefined)) issues.push({ path: 'tls', message: 'needs cert and key together' })
  // A client must not ask a server for an address. @see RFC 6066, 3
  if (typeof serverName === 'string' && /:|^\d+(\.\d+){3}$/.test(serverName))
    issues.push({ path: 'tls.serverName', message: 'must be no address' })
  return issues
}

/** Tells whether each `%` in a url begins an encoded character, so that user and password in it can be read. */
export function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

/**
 * Tells what to do about a certificate that an error, or what led to it, did not accept; undefined where it is about something
 * else.
 *
 * @see https://nodejs.org/api/tls.html#x509-certificate-error-codes
 */
export function certificateRemedy(thrown: unknown): string | undefined {
  for (let error = thrown; typeof error === 'object' && error !== null; ) {
    const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown }
    for (const [codes, remedy] of remedies) if (typeof code === 'string' && codes.test(code)) return remedy
    error = cause
  }
  return undefined
}

const remedies: readonly (readonly [codes: RegExp, remedy: string])[] = [
  [/^(ERR_TLS_CERT_ALTNAME_|HOSTNAME_MISMATCH$)/, "Set tls.serverName to a name that the server's certificate has."],
  [/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/, "Renew the server's certificate, and compare the clocks."],
  [
    /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA$|CERT_(UNTRUSTED|REJECTED|SIGNATURE_FAILURE)$)/,
    "Set tls.ca to the certificate, as PEM, of the authority that signed the server's.",
  ],
]
