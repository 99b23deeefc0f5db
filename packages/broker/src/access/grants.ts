import { createHash } from 'node:crypto'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkCredentials, LinkIdentity } from '@posthaste/link/connection'
import type { UserConfig, UserLimits } from '../config/config.ts'
import { UserQuota } from '../quotas/quota.ts'
import { allRights, Permissions } from './rights.ts'
import { isTokenOf } from './tokens.ts'

/** What goes with each connection of a user. */
export interface Grants {
  readonly user: string
  readonly permissions: Permissions
  readonly quota: UserQuota
}

/** Tokens that are remembered; of those that are wrong there may be any number. */
const knownMax = 10_000

/** Who may come in, and as whom. */
export class Gate {
  readonly #users: ReadonlyMap<string, { readonly config: UserConfig; readonly grants: Grants }>
  readonly #anybody: Grants | undefined
  /** Users by the digest of a token that was found to be theirs, or nobody's: a slow hash is paid for once. */
  readonly #known = new Map<string, Grants | undefined>()
  #judging: Promise<void> = Promise.resolve()

  constructor(users: Readonly<Record<string, UserConfig>>, limits: UserLimits, nowMs: () => number) {
    const entries = Object.entries(users).map(([user, config]) => {
      const quota = new UserQuota({ ...limits, ...defined(config.limits) }, nowMs)
      return [user, { config, grants: { user, permissions: new Permissions(config.rights), quota } }] as const
    })
    this.#users = new Map(entries)
    this.#anybody =
      entries.length > 0
        ? undefined
        : { user: 'anybody', permissions: new Permissions(allRights), quota: new UserQuota(limits, nowMs) }
  }

  /** @throws UNAUTHENTICATED */
  readonly authenticate = async (credentials: LinkCredentials): Promise<LinkIdentity> => {
    const grants = this.#anybody ?? this.#byCertificate(credentials) ?? (await this.#byToken(credentials))
    if (grants === undefined)
      throw new PosthasteError('UNAUTHENTICATED', 'neither the token nor the certificate is of a user of this broker', {
        remedy: 'Give the engine the token of a user, or a certificate whose common name is one of theirs.',
      })
    return { user: grants.user, grants }
  }

  #byCertificate({ certificate }: LinkCredentials): Grants | undefined {
    if (certificate === undefined) return undefined
    for (const { config, grants } of this.#users.values())
      if (config.certificates.includes(certificate.commonName)) return grants
    return undefined
  }

  async #byToken({ token }: LinkCredentials): Promise<Grants | undefined> {
    if (token === undefined) return undefined
    const digest = createHash('sha256').update(token).digest('base64')
    const known = this.#known.get(digest)
    if (known !== undefined || this.#known.has(digest)) return known
    // One at a time: whoever guesses keeps one thread busy, not all of them.
    const before = this.#judging
    const judging = before.then(() => this.#judge(token))
    this.#judging = judging.then(
      () => {},
      () => {},
    )
    const grants = await judging
    if (this.#known.size >= knownMax) this.#known.clear()
    this.#known.set(digest, grants)
    return grants
  }

  async #judge(token: string): Promise<Grants | undefined> {
    for (const { config, grants } of this.#users.values())
      for (const hash of config.tokens) if (await isTokenOf(token, hash)) return grants
    return undefined
  }
}

/** What a user's limits leave open is the broker's. */
function defined(limits: UserLimits): Partial<UserLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}
