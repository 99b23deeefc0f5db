import type { Rights } from '../access/rights.ts'
import { isTokenHash } from '../access/tokens.ts'
import type { UserConfig, UserLimits } from './config.ts'
import { userLimitBounds } from './defaults.ts'
import type { Fields } from './fields.ts'

/** A word of a pattern is a star or of the letters that names have; two stars are the last. */
const pattern = /^(\*\*|([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*(\.\*\*)?)$/

/** Reads the users of a configuration. */
export function usersOf(users: Readonly<Record<string, Fields>>): Readonly<Record<string, UserConfig>> {
  return Object.fromEntries(Object.entries(users).map(([name, fields]) => [name, userOf(fields)]))
}

function userOf(fields: Fields): UserConfig {
  const user: UserConfig = {
    tokens: fields.texts('tokens') ?? [],
    certificates: fields.texts('certificates') ?? [],
    rights: rightsOf(fields.object('rights')),
    limits: userLimitsOf(fields.object('limits')),
  }
  if (user.tokens.length + user.certificates.length === 0)
    fields.mistake('tokens', 'there must be a token or a certificate, or nobody can be this user')
  for (const hash of user.tokens)
    if (!isTokenHash(hash))
      fields.mistake('tokens', 'must be hashes, as hashToken() of @posthaste/broker-service makes them')
  fields.nothingElse()
  return user
}

function rightsOf(fields: Fields | undefined): Rights {
  const of = (name: keyof Rights): readonly string[] => {
    const patterns = fields?.texts(name) ?? []
    for (const each of patterns)
      if (!pattern.test(each))
        fields?.mistake(name, `'${each}' must be words with dots between them, * or ** at the end`)
    return patterns
  }
  const rights = { publish: of('publish'), consume: of('consume'), manage: of('manage') }
  fields?.nothingElse()
  return rights
}

function userLimitsOf(fields: Fields | undefined): UserLimits {
  const of = (name: keyof UserLimits) => fields?.whole(name, userLimitBounds[name])
  const limits = {
    connectionsMax: of('connectionsMax'),
    channelsMax: of('channelsMax'),
    groupsMax: of('groupsMax'),
    temporaryGroupsMax: of('temporaryGroupsMax'),
    subscriptionsMax: of('subscriptionsMax'),
    bytesInFlightMax: of('bytesInFlightMax'),
    bytesInHandMax: of('bytesInHandMax'),
    recordsPerSecondMax: of('recordsPerSecondMax'),
  }
  fields?.nothingElse()
  return limits
}
