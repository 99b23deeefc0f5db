import { createHash } from 'node:crypto'
import { type Clock, PosthasteError } from '@posthaste/contracts'
import type { LinkCredentials, LinkIdentity } from '@posthaste/link/connection'
import type { UserConfig, UserLimits } from '../config/config.ts'
import { UserQuota } from '../quotas/quota.ts'
import { type Places, Tally } from '../quotas/tally.ts'
import { allRights, Permissions, type Rights } from './rights.ts'
import { isTokenOf } from './tokens.ts'

/** What goes with each connection of a user. */
export interface Grants {
  readonly user: string
  readonly permissions: Permissions
  readonly quota: UserQuota
  /** Of all clients of the user. */
  readonly places: Tally
}

/** Wrong tokens that are remembered; there may be any number of them. */
const wrongMax = 10_000
/** Tokens that wait for being judged: each takes a slow hash or more, and whoever guesses could have any number wait. */
const waitingMax = 64

/** Who may come in, and as whom. */
export class Gate {
  readonly #users: ReadonlyMap<string, { readonly config: UserConfig; readonly grants: Grants }>
  readonly #anybody: Grants | undefined
  /** By digests of tokens: a slow hash is paid for once. No more of the right ones than are configured. */
  readonly #known = new Map<string, Grants>()
  readonly #wrong = new Set<string>()
  /** Those that are being judged, so that many clients that come at once with one token are judged at once. */
  readonly #underWay = new Map<string, Promise<Grants | undefined>>()
  #judging: Promise<unknown> = Promise.resolve()

  constructor(
    users: Readonly<Record<string, UserConfig>>,
    limits: UserLimits,
    clock: Pick<Clock, 'monotonicMs' | 'setTimer'>,
  ) {
    const granted = (user: string, rights: Rights, own: UserLimits): Grants => ({
      user,
      permissions: new Permissions(rights),
      quota: new UserQuota(own, clock),
      places: new Tally(`user '${user}'`, placesOf(own)),
    })
    const entries = Object.entries(users).map(([user, config]) => {
      const grants = granted(user, config.rights, { ...limits, ...defined(config.limits) })
      return [user, { config, grants }] as const
    })
    this.#users = new Map(entries)
    this.#anybody = entries.length > 0 ? undefined : granted('anybody', allRights, limits)
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
    if (known !== undefined || this.#wrong.has(digest)) return known
    const underWay = this.#underWay.get(digest)
    if (underWay !== undefined) return underWay
    if (this.#underWay.size >= waitingMax)
      throw new PosthasteError('OVERLOADED', 'too many clients come with tokens that are not known yet')
    // One at a time: whoever guesses keeps one thread busy, not all of them.
    const judging = this.#judging.then(() => this.#judge(token))
    this.#judging = judging.catch(() => {})
    this.#underWay.set(digest, judging)
    try {
      const grants = await judging
      this.#remember(digest, grants)
      return grants
    } finally {
      this.#underWay.delete(digest)
    }
  }

  #remember(digest: string, grants: Grants | undefined): void {
    if (grants !== undefined) {
      this.#known.set(digest, grants)
      return
    }
    if (this.#wrong.size >= wrongMax) this.#wrong.clear()
    this.#wrong.add(digest)
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

function placesOf({ connectionsMax, subscriptionsMax, temporaryGroupsMax }: UserLimits): Places {
  return {
    sessions: { max: connectionsMax, option: 'limits.connectionsMax of the user' },
    subscriptions: { max: subscriptionsMax, option: 'limits.subscriptionsMax of the user' },
    temporaryGroups: { max: temporaryGroupsMax, option: 'limits.temporaryGroupsMax of the user' },
  }
}
