import { portDefault } from '../wire/constants.ts'

/** Where a server is reached. */
export type LinkAddress =
  | { readonly kind: 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** Longest path that every system takes for a Unix socket. */
export const pathBytesMax = 100

/**
 * Reads `link://host:port`, `links://host:port` or `link+unix:///path`.
 * @returns what is wrong with it, as text, where it is none of these
 */
export function addressOf(text: unknown): LinkAddress | string {
  const url = typeof text === 'string' ? parse(text) : undefined
  if (url === undefined) return 'must be a url'
  if (url.username !== '' || url.password !== '') return 'must have no user: credentials go into token'
  if (url.search !== '' || url.hash !== '') return 'must have neither a query nor a fragment'
  if (url.protocol === 'link+unix:') return unixAddress(url)
  if (url.protocol !== 'link:' && url.protocol !== 'links:') return 'must begin with link://, links:// or link+unix://'
  if (url.hostname === '') return 'must name a host'
  if (url.pathname !== '' && url.pathname !== '/') return 'must have no path'
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : decodeURIComponent(url.hostname)
  const port = url.port === '' ? portDefault : Number(url.port)
  return { kind: url.protocol === 'links:' ? 'tls' : 'tcp', host, port }
}

/** The url of an address. */
export function urlOf(address: LinkAddress): string {
  if (address.kind === 'unix') return `link+unix://${encodeURI(address.path)}`
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${address.kind === 'tls' ? 'links' : 'link'}://${host}:${address.port}`
}

/** Says what is wrong with the path of a Unix socket. */
export function pathMistake(path: unknown): string | undefined {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) return 'must be a path'
  return Buffer.byteLength(path) > pathBytesMax ? `must have at most ${pathBytesMax} bytes` : undefined
}

function unixAddress(url: URL): LinkAddress | string {
  if (url.host !== '') return 'must have three slashes and an absolute path: link+unix:///run/posthaste.sock'
  const path = decoded(url.pathname)
  return path === undefined ? 'must be a path with its % encoded' : (pathMistake(path) ?? { kind: 'unix', path })
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}
