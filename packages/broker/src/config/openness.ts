import type { Issue } from '@posthaste/contracts'
import type { BrokerConfig } from './config.ts'

/** Addresses of this machine alone. */
const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** What is wrong with where a broker listens, and whether anybody could come in or read along who should not. */
export function openness({ listen, tls, users, insecure, health }: BrokerConfig): readonly Issue[] {
  const issues: Issue[] = []
  if (listen.length === 0) issues.push({ path: 'listen', message: 'must name at least one address' })
  const hasUsers = Object.keys(users).length > 0
  for (const url of listen) {
    const address = URL.canParse(url) ? new URL(url) : undefined
    if (address === undefined || !/^(links?|link\+unix):$/.test(address.protocol)) {
      issues.push({ path: 'listen', message: `'${url}' must be like link://host:7420, links://… or link+unix:///path` })
      continue
    }
    if (address.protocol === 'links:' && tls === undefined)
      issues.push({ path: 'tls', message: `is needed for ${url}: give certFile and keyFile` })
    if (address.protocol === 'link+unix:' || loopback.test(address.hostname) || insecure) continue
    if (!hasUsers && tls?.clients !== 'required')
      issues.push({
        path: 'users',
        message: `are needed for ${url}: without them, anybody who reaches it may do anything`,
      })
    if (address.protocol === 'link:')
      issues.push({ path: 'listen', message: `${url} is read by whoever is on the way: use links:// with tls` })
  }
  if (health !== undefined && !loopback.test(health.host) && health.host !== '::1' && !insecure)
    issues.push({ path: 'health.host', message: 'must be of this machine: the endpoint knows no users' })
  return issues
}
